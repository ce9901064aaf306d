"""Spans leave with what is allowed, and a statement as its first word and its table."""

from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from core.traces.privacy import allowed


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ('SELECT "a"."b" FROM "loans" INNER JOIN "people" ON 1', ("SELECT", "loans")),
        ('INSERT INTO "loans" ("name") VALUES (%s)', ("INSERT", "loans")),
        ('UPDATE "loans" SET "name" = %s', ("UPDATE", "loans")),
        ('DELETE FROM "loans" WHERE 1', ("DELETE", "loans")),
        ("SELECT clock_timestamp()", ("SELECT", None)),
        ("ALTER ROLE app PASSWORD 'open sesame'", (None, None)),
        ("SELECT 'x' FROM \"an Alice's\"", ("SELECT", None)),
    ],
)
@pytest.mark.parametrize("attribute", ["db.statement", "db.query.text"])
def test_statement_leaves_as_its_first_word_and_its_table(
    attribute: str, statement: str, expected: tuple[str | None, str | None]
) -> None:
    found = allowed({attribute: statement, "db.user": "owner"}, kind=SpanKind.CLIENT)
    assert (found.get("db.operation.name"), found.get("db.collection.name")) == expected
    assert found.keys() <= {"db.operation.name", "db.collection.name"}


def test_host_leaves_where_it_is_called_and_not_where_it_calls() -> None:
    said: dict[str, Any] = {"net.peer.name": "host", "http.url": "https://host/?q=Alice"}
    assert allowed(said, kind=SpanKind.CLIENT) == {"net.peer.name": "host"}
    assert allowed(said, kind=SpanKind.SERVER) == {}
