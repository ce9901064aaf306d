"""Cursor pagination: a cursor names the row at a page's edge, so new rows move nothing.

Rows are ordered by ``keys`` (as for ``order_by``), which together are unique and never
change; a page is found by comparing with the edge, not by counting. A cursor is opaque to
clients: the URL-safe base64 of a JSON list, the direction first, then the edge's values.
"""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Model, Q, QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.utils.urls import remove_query_param, replace_query_param

DEFAULT_SIZE = 50
LARGEST_SIZE = 200

NEXT, PREVIOUS = "next", "previous"
KEY_TYPES = {"created_at": datetime, "id": int}
NEWEST_FIRST = ("-created_at", "-id")
OLDEST_FIRST = ("id",)


@dataclass(frozen=True)
class Page[M: Model]:
    """The rows of one page and the cursors of its neighbours."""

    rows: list[M]
    next: str | None
    previous: str | None


def page_of[M: Model](
    rows: QuerySet[M], *, keys: tuple[str, ...], cursor: str | None, size: int = DEFAULT_SIZE
) -> Page[M]:
    """Read one page; without a cursor the first. One query (and the prefetches of ``rows``).

    Raises ``ValidationError`` on ``cursor`` when it is not one of ours.
    """
    direction, edge = (NEXT, None) if cursor is None else _decode(cursor, keys)
    onward = direction == NEXT
    order = keys if onward else tuple(_opposite(key) for key in keys)
    if edge is not None:
        rows = rows.filter(_beyond(order, edge))
    found = list(rows.order_by(*order)[: size + 1])
    more, found = len(found) > size, found[:size]
    if not onward:
        found.reverse()
    if not found:
        return Page(rows=[], next=None, previous=None)
    has_next = more if onward else True
    has_previous = edge is not None if onward else more
    return Page(
        rows=found,
        next=_encode(NEXT, found[-1], keys) if has_next else None,
        previous=_encode(PREVIOUS, found[0], keys) if has_previous else None,
    )


def link(request: Request, cursor: str | None) -> str | None:
    """Return this page's address with another ``cursor``, its filters included."""
    if cursor is None:
        return None
    here = remove_query_param(request.build_absolute_uri(), "cursor")
    return replace_query_param(here, "cursor", cursor)


def _beyond(order: tuple[str, ...], edge: list[Any]) -> Q:
    """Rows after ``edge``: (a, b) > (x, y) as a >= x and (a > x or b > y), which indexes like."""
    key, *others = order
    name, compare = key.lstrip("-"), "lt" if key.startswith("-") else "gt"
    after = Q(**{f"{name}__{compare}": edge[0]})
    if not others:
        return after
    return Q(**{f"{name}__{compare}e": edge[0]}) & (after | _beyond(tuple(others), edge[1:]))


def _opposite(key: str) -> str:
    return key.removeprefix("-") if key.startswith("-") else f"-{key}"


def _encode(direction: str, row: Model, keys: tuple[str, ...]) -> str:
    values = [getattr(row, key.lstrip("-")) for key in keys]
    plain = [
        value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
        for value in values
    ]
    raw = json.dumps([direction, *plain], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(cursor: str, keys: tuple[str, ...]) -> tuple[str, list[Any]]:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        direction, *plain = json.loads(raw)
        edge = [_value(key.lstrip("-"), value) for key, value in zip(keys, plain, strict=True)]
        return {NEXT: NEXT, PREVIOUS: PREVIOUS}[direction], edge
    except (LookupError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValidationError({"cursor": ["This is not a cursor of this list."]}) from error


def _value(name: str, plain: Any) -> datetime | int:
    if KEY_TYPES[name] is datetime:
        at = datetime.fromisoformat(plain)
        if at.tzinfo is None:
            raise ValueError("a time without an offset")
        return at.astimezone(UTC)
    if type(plain) is not int or not 0 <= plain < 2**63:
        raise ValueError("not a row's number")
    return plain
