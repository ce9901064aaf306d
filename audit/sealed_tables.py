"""The tables that are sealed, and the text of a row over which a seal is computed.

This package is the lowest, so each app registers its own tables in ``ready``. A seal covers the
columns that never change after a row is written; those that may (the status of a payout, say)
are named in ``may_change``, are those that the table's triggers allow, and are not covered.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Model, QuerySet

MARK = 8  # bytes of a row's hash, enough to tell which row differs; the seal's hash is whole
KEY = 8  # bytes of a primary key


class Parts(NamedTuple):
    """Rows of another table that are sealed together with the row to which ``key`` refers."""

    model: type[Model]
    key: str

    @property
    def name(self) -> str:
        return self.model._meta.db_table

    def columns(self) -> tuple[str, ...]:
        return tuple(field.attname for field in self.model._meta.concrete_fields)


class SealedTable(NamedTuple):
    """A table, and what of it is sealed.

    With ``closed_by`` a row is a draft while that field is NULL: it is sealed when it is closed,
    by its key. Without, rows are sealed as they are written, by ranges of keys.
    """

    model: type[Model]
    may_change: Collection[str] = ()
    closed_by: str = ""
    parts: tuple[Parts, ...] = ()

    @property
    def name(self) -> str:
        return self.model._meta.db_table

    @property
    def label(self) -> str:
        return str(self.model._meta.verbose_name)

    def columns(self) -> tuple[str, ...]:
        names = (field.attname for field in self.model._meta.concrete_fields)
        return tuple(name for name in names if name not in self.may_change)

    def closed(self) -> QuerySet[Model]:
        """Return the rows that are no drafts."""
        rows: QuerySet[Model] = self.model._base_manager.order_by("pk")
        return rows.filter(**{f"{self.closed_by}__isnull": False}) if self.closed_by else rows

    def between(self, after: int | None, to: int) -> QuerySet[Model]:
        """Return the rows of a range of keys; the first range has no lower bound."""
        rows = self.closed().filter(pk__lte=to)
        return rows if after is None else rows.filter(pk__gt=after)


REGISTERED: dict[str, SealedTable] = {}


def register(table: SealedTable) -> None:
    """Register a table to be sealed. For an app's ``ready``."""
    REGISTERED[table.name] = table


def texts(
    table: SealedTable,
    rows: QuerySet[Model],
    *,
    columns: Collection[str],
    parts: dict[str, list[str]],
) -> Iterator[tuple[int, bytes]]:
    """Yield the key and the text of each row, by key, with the rows that are its parts."""
    found = list(rows.order_by("pk").values_list("pk", *columns))
    belonging = [_parts(each, parts[each.name], [pk for pk, *_ in found]) for each in table.parts]
    for pk, *values in found:
        yield pk, _text([*values, *(rows_of.get(pk, []) for rows_of in belonging)])


def _parts(each: Parts, columns: list[str], keys: list[int]) -> dict[int, list[list[Any]]]:
    """The values of the parts of these rows, by the row and in the order of their own keys."""
    rows = each.model._base_manager.filter(**{f"{each.key}__in": keys}).order_by("pk")
    found: dict[int, list[list[Any]]] = {}
    for key, *values in rows.values_list(each.key, *columns):
        found.setdefault(key, []).append(values)
    return found


def _text(values: list[Any]) -> bytes:
    """Return a row's canonical text, the same on both databases: ASCII, keys sorted."""
    return json.dumps(values, default=_plain, sort_keys=True, separators=(",", ":")).encode()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1)
    return str(value)


class Digest(NamedTuple):
    """The hash over some rows, and a mark of each: its key and the beginning of its hash."""

    rows: int
    hash: str
    marks: bytes


def digest(rows: Iterable[tuple[int, bytes]]) -> Digest:
    whole, marks, count = hashlib.sha256(), bytearray(), 0
    for pk, text in rows:
        whole.update(text + b"\n")
        marks += pk.to_bytes(KEY, "big", signed=True) + hashlib.sha256(text).digest()[:MARK]
        count += 1
    return Digest(rows=count, hash=whole.hexdigest(), marks=bytes(marks))


def marks_by_key(marks: bytes) -> dict[int, bytes]:
    """Read the marks of a digest: the mark of each key, by key."""
    places = range(0, len(marks), KEY + MARK)
    return {
        int.from_bytes(marks[at : at + KEY], "big", signed=True): marks[at + KEY : at + KEY + MARK]
        for at in places
    }
