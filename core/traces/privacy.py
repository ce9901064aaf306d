"""Keep personal data out of spans: what is not listed here does not leave the process.

Instrumentations record far more than a trace needs: URLs with what somebody searched for, tokens
of callbacks, clients' addresses, texts of exceptions, statements. So each span is reduced while it
ends, before any exporter sees it, whoever made it.
"""

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.trace import Event, Span, SpanProcessor
from opentelemetry.trace import SpanKind, Status

ALLOWED = frozenset(
    {
        "db.collection.name",
        "db.name",
        "db.namespace",
        "db.operation.name",
        "db.system",
        "db.system.name",
        "error.type",
        "http.method",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "http.status_code",
        "rpc.method",
        "rpc.service",
        "rpc.system",
    }
)
ALLOWED_PREFIXES = ("aws.", "cloud.", "durable.", "faas.", "loanoffice.")
# The host that we call; of a request that we serve the same names say who sent it.
ALLOWED_OF_CALLS = frozenset({"net.peer.name", "net.peer.port", "server.address", "server.port"})
STATEMENTS = ("db.statement", "db.query.text")
# What stands before the table that a statement is about.
BEFORE_TABLE = {
    "SELECT": ' FROM "',
    "INSERT": ' INTO "',
    "UPDATE": 'UPDATE "',
    "DELETE": ' FROM "',
}


class PrivacyProcessor(SpanProcessor):
    """Reduce a span to what is allowed while it ends.

    Every processor's ``_on_ending`` is called before any ``on_end``, so that it does not matter
    which exporter was there first. The SDK has no public way to take something off a span.
    """

    def _on_ending(self, span: Span) -> None:
        vars(span).update(
            _attributes=allowed(span.attributes or {}, kind=span.kind),
            _events=[_reduced(event) for event in span.events if event.name == "exception"],
            _status=Status(span.status.status_code),  # without its description
        )


def allowed(attributes: Mapping[str, Any], *, kind: SpanKind) -> dict[str, Any]:
    """Return the attributes that may leave, and of a statement its first word and its table."""
    kept = {
        name: value
        for name, value in attributes.items()
        if name in ALLOWED
        or name.startswith(ALLOWED_PREFIXES)
        or (name in ALLOWED_OF_CALLS and kind is SpanKind.CLIENT)
    }
    for name in STATEMENTS:
        if name in attributes:
            kept |= _described(str(attributes[name]))
    return kept


def _described(statement: str) -> dict[str, str]:
    """Return the first word and the table, found without a pattern: there are many statements."""
    word = statement[:10].partition(" ")[0]
    before = BEFORE_TABLE.get(word)
    if before is None:
        return {}
    table = statement.partition(before)[2].partition('"')[0]
    return {
        "db.operation.name": word,
        **({"db.collection.name": table} if table.isidentifier() else {}),
    }


def _reduced(event: Event) -> Event:
    kind = (event.attributes or {}).get("exception.type", "")
    return Event(event.name, {"exception.type": kind}, event.timestamp)
