"""Read and write W3C's ``traceparent``, and keep the ids of traces inside the product."""

import re
from collections.abc import Iterable
from typing import Any, override

from opentelemetry.context import Context
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import SpanContext, TraceFlags

TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)


def context_of(traceparent: str) -> SpanContext | None:
    """Return the span that a ``traceparent`` names; ``None`` when it names none."""
    match = TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in match.groups())
    context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return context if context.is_valid else None


def traceparent_of(context: SpanContext) -> str:
    """Return a span as W3C writes it; empty when it is none."""
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


class InwardPropagator(TextMapPropagator):
    """Send nothing of a trace to others, and take only what ``inner`` takes.

    Partners, bureaus and receivers of webhooks get no header of ours, and none of theirs decides
    whether or under which id we trace. Between our own processes rows and payloads carry it.
    """

    def __init__(self, inner: TextMapPropagator | None = None) -> None:
        self._inner = inner

    @override
    def extract(self, carrier: Any, context: Context | None = None, *args: Any, **kw: Any) -> Any:
        """Take what the inner propagator takes: on Lambda, AWS's own header."""
        if self._inner is None:
            return Context() if context is None else context
        return self._inner.extract(carrier, context, *args, **kw)

    @override
    def inject(self, carrier: Any, context: Context | None = None, *args: Any, **kw: Any) -> None:
        """Send nothing."""

    @property
    @override
    def fields(self) -> set[str]:
        """The headers that are sent: none."""
        return set()


def contexts_of(traceparents: Iterable[str]) -> list[SpanContext]:
    """Return the spans that these name, each once."""
    found = (context_of(text) for text in dict.fromkeys(traceparents))
    return [context for context in found if context is not None]
