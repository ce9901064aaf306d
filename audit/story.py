"""The lines of an application's story: what a line is, and those of the audit log.

``manage.py story`` tells everything about one application in the order of time. Each package has a
module ``story`` that makes the lines of its own rows; ``loanoffice.story`` puts them together and
masks them. A line holds neither the text of an e-mail nor the content of a document.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from audit.models import AuditEntry

type Facts = tuple[tuple[str, str], ...]

UNSAID = ("event", "who")  # of the details: the line says it already
MOST_OF_VALUE = 300  # characters


class Kind(StrEnum):
    """The kind of a line, by what it is about."""

    PERSON = "person"
    APPLICATION = "application"
    REVIEW = "review"
    EXECUTION = "execution"
    ENGINE = "engine"
    CALLBACK = "callback"
    DELIVERY = "delivery"
    EMAIL = "e-mail"
    PAYOUT = "payout"
    DOCUMENT = "document"
    WEBHOOK = "webhook"
    INCIDENT = "incident"


@dataclass(frozen=True)
class Line:
    """One line of a story. ``who`` is a login or a partner's name, as it was then.

    ``facts`` are names and values, each name once.
    """

    at: datetime
    kind: Kind
    what: str
    who: str = ""
    attempt: int | None = None
    facts: Facts = ()


def in_order(lines: Iterable[Line]) -> list[Line]:
    """Sort the oldest first; lines of one time stay in the order in which they come."""
    return sorted(lines, key=lambda line: line.at)


def entry_lines(entries: Iterable[AuditEntry]) -> Iterator[Line]:
    """Yield the line of each audit entry: what a person or a partner did or looked at."""
    for entry in entries:
        facts = [*_changes(entry.changes), *facts_of(entry.details)]
        if entry.request_id:
            facts.append(("request", entry.request_id))
        yield Line(
            at=entry.at,
            kind=Kind.PERSON,
            what=entry.message,
            who=f"{entry.who} (partner)" if entry.is_partner and entry.who else entry.who,
            facts=tuple(dict(facts).items()),
        )


def _changes(changes: Mapping[str, list[object]]) -> Iterator[tuple[str, str]]:
    for name, (old, new) in changes.items():
        yield name.replace("_", " "), f"{_text(old)} to {_text(new)}"


def facts_of(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield stored data as names and values, without what is empty."""
    for name, value in data.items():
        if name not in UNSAID and value not in ("", None, [], {}):
            yield name.replace("_", " "), _text(value)


def _text(value: object) -> str:
    if value in ("", None):
        return "empty"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_OF_VALUE else f"{text[:MOST_OF_VALUE]} …"
