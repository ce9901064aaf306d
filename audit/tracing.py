"""What ties one request, its workflow, its log lines and its audit entries together. Pure."""

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
execution_name: ContextVar[str] = ContextVar("execution_name", default="")
# Where the request came from, as far as nobody can make it up: see ``LOANOFFICE_TRUSTED_PROXIES``.
client_address: ContextVar[str] = ContextVar("client_address", default="")
# What the client says it is; anybody may say anything.
user_agent: ContextVar[str] = ContextVar("user_agent", default="")
