"""Spans of the product's own work, and the W3C ``traceparent`` that rows carry from one to another.

Nothing of OpenTelemetry is imported while traces are off: then every function here returns at
once. ``core.traces.provider`` switches them on and has what they do.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_durable_execution_sdk_python.plugin import DurableInstrumentationPluginFactory

    from core.traces.provider import Tracing

LONGEST_TRACEPARENT = 55  # characters, as https://www.w3.org/TR/trace-context/ has it


class _State:
    """The tracing of this process; ``None``: it is off."""

    tracing: "Tracing | None" = None


def switch(tracing: "Tracing | None") -> None:
    """Switch traces on or off in this process; for ``core.traces.provider``."""
    _State.tracing = tracing


def is_on() -> bool:
    """Return whether this process makes spans."""
    return _State.tracing is not None


def traceparent() -> str:
    """Return the current span as W3C writes it; empty without one."""
    return "" if _State.tracing is None else _State.tracing.traceparent()


def trace_id_of(traceparent: str) -> str:
    """Return the trace id of a ``traceparent``, in 32 hexadecimal digits; empty without one."""
    parts = traceparent.split("-")
    return parts[1] if len(parts) == 4 else ""


def span(
    name: str, *, parent: str = "", links: Iterable[str] = (), **attributes: str | int
) -> AbstractContextManager[None]:
    """Make a span current for a block; nothing while traces are off.

    ``parent`` and ``links`` are what ``traceparent`` returned elsewhere. Without a parent the
    span continues the current one; with one of another trace it is linked to the current one.
    Attributes must not be personal data; their names get the prefix ``loanoffice.``.
    """
    if _State.tracing is None:
        return nullcontext()
    return _State.tracing.span(name, parent=parent, links=links, attributes=attributes)


def link(*traceparents: str) -> None:
    """Link the current span to others, such as a decision to the loan that waited for it."""
    if _State.tracing is not None:
        _State.tracing.link(traceparents)


def note(**attributes: str | int) -> None:
    """Set attributes of the current span, none of them personal data."""
    if _State.tracing is not None:
        _State.tracing.note(attributes)


def shut_down() -> None:
    """Export what is left, before a process ends that does not get to its usual end."""
    if _State.tracing is not None:
        _State.tracing.provider.shutdown()


def durable_plugins() -> "list[DurableInstrumentationPluginFactory] | None":
    """Return the plugins of a durable handler: those that trace it, or none."""
    return None if _State.tracing is None else _State.tracing.durable_plugins()
