"""Context variables that connect a request, its workflow, log lines and audit entries. Pure."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
# ``REFERENCE-ATTEMPT``: the execution that the work is done for.
execution_name: ContextVar[str] = ContextVar("execution_name", default="")
# The reference of the application that the work is about, where no execution says it.
application_reference: ContextVar[str] = ContextVar("application_reference", default="")
# The client's address, as far as it cannot be forged: see ``LOANOFFICE_TRUSTED_PROXIES``.
client_address: ContextVar[str] = ContextVar("client_address", default="")
# The client's own description of itself; it can be forged.
user_agent: ContextVar[str] = ContextVar("user_agent", default="")


@contextmanager
def work_on(*, execution: str = "", application: str = "", request: str = "") -> Iterator[None]:
    """Name what the work is about, for its log lines and events.

    ``request`` is the request that caused it; without one the present one stays.
    """
    tokens = [
        (execution_name, execution_name.set(execution)),
        (application_reference, application_reference.set(application)),
        (request_id, request_id.set(request or request_id.get())),
    ]
    try:
        yield
    finally:
        for variable, token in tokens:
            variable.reset(token)
