"""Context variables that connect a request, its workflow, log lines and audit entries. Pure."""

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
execution_name: ContextVar[str] = ContextVar("execution_name", default="")
# The client's address, as far as it cannot be forged: see ``LOANOFFICE_TRUSTED_PROXIES``.
client_address: ContextVar[str] = ContextVar("client_address", default="")
# The client's own description of itself; it can be forged.
user_agent: ContextVar[str] = ContextVar("user_agent", default="")
