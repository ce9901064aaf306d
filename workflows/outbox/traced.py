"""Deliver a message in a span of the trace that it belongs to."""

from collections.abc import Callable
from functools import partial
from typing import Any

from core.traces import spans
from workflows.models import OutboxMessage


def traced(message: OutboxMessage, send: Callable[[], Any]) -> Callable[[], Any]:
    """Return what sends it in a span; ``send`` itself while traces are off."""
    return partial(_send, message, send) if spans.is_on() else send


def _send(message: OutboxMessage, send: Callable[[], Any]) -> Any:
    """Send in a span below the one that wrote the message.

    An answer goes on with the loan that waits for it, and is linked to what gave it: somebody
    may decide about many loans by one request. Only what was read with the message is looked at.
    """
    parent, links = message.traceparent, []
    if OutboxMessage._meta.get_field("callback").is_cached(message):
        waiting = message.callback
        if waiting is not None and waiting.traceparent:
            parent, links = waiting.traceparent, [message.traceparent]
    with spans.span(
        f"outbox {message.kind}",
        parent=parent,
        links=links,
        message=message.pk,
        attempt=message.attempts,
    ):
        return send()
