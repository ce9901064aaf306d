"""Know the invocation that a function on Lambda is in, and which one was the first of its process.

A process on Lambda runs one invocation at a time, whose threads inherit no context variables: so
the present one is kept for the process. Elsewhere, as in the embedded engine, none is kept.
"""

from typing import NamedTuple

from django.conf import settings

from core import metrics


class Invocation(NamedTuple):
    """One invocation, as its Lambda context describes it."""

    function_name: str
    aws_request_id: str
    is_cold_start: bool


class _Process:
    """The invocations of this process."""

    current: Invocation | None = None


def current() -> Invocation | None:
    """Return the invocation that this process runs, or ran last; ``None`` outside Lambda."""
    return _Process.current


def begin(context: object) -> None:
    """Note that an invocation with this Lambda context begins."""
    request = getattr(context, "aws_request_id", "")
    before = _Process.current
    if not settings.LOANOFFICE_ON_LAMBDA or (before and before.aws_request_id == request):
        return
    name = getattr(context, "function_name", "")
    _Process.current = Invocation(name, request, is_cold_start=before is None)
    if before is None:
        metrics.emit({metrics.COLD_START: 1}, function=settings.LOANOFFICE_FUNCTION or name)
