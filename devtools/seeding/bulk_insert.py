"""Insert many rows of a model without model instances, in one statement a batch.

``bulk_create`` spends four fifths of its time on preparing each value of each field; made-up
rows by the hundred thousand need none of that. The database checks every constraint as ever.
Differences between PostgreSQL and SQLite are here.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from django.db import connection, models

from applications.models.fields import AmountBandField, SearchKeyField

type Adapt = Callable[[Any], Any]
IDS_AT_ONCE = 1000
# SQLite's names: kibibytes, as a negative number, and pages of 4 KiB.
MANY_WRITES = {"cache_size": -1_000_000, "wal_autocheckpoint": 50_000}


class BulkInsert:
    """The columns of a model with their defaults, and the rows to insert."""

    def __init__(self, model: type[models.Model]) -> None:
        self.model = model
        self.name = model._meta.db_table
        fields = [field for field in model._meta.local_concrete_fields if not field.primary_key]
        adapts = {field.attname: _adapt_for(field) for field in fields}
        self.columns = {str(field.attname): str(field.column) for field in fields}
        self.adapt: dict[str, Adapt] = {name: do for name, do in adapts.items() if do is not None}
        self.blank = {
            field.attname: field.get_db_prep_save(_default(field), connection) for field in fields
        }
        # Fields that are derived when an instance is saved, which does not happen here.
        self.derived = [
            (field.attname, field.source, field.derived)
            for field in fields
            if isinstance(field, AmountBandField | SearchKeyField)
        ]
        self.rows: list[tuple[Any, ...]] = []
        self.with_ids = False

    def put(self, values: dict[str, Any], pk: int | None = None) -> None:
        """Add one row; ``values`` by attribute name (``partner_id``)."""
        row = self.blank.copy()
        adapt = self.adapt
        for name, value in values.items():
            row[name] = adapt[name](value) if name in adapt and value is not None else value
        for name, source, derive in self.derived:
            row[name] = derive(values[source])
        if len(row) != len(self.blank):
            raise TypeError(f"{self.name} has no {set(row) - set(self.blank)}")
        self.with_ids = pk is not None
        self.rows.append((pk, *row.values()) if pk is not None else tuple(row.values()))

    def write(self) -> int:
        """Insert the rows, in the caller's transaction; return how many."""
        written = len(self.rows)
        if written:
            columns = [*(["id"] if self.with_ids else []), *self.columns.values()]
            _insert(self.name, columns, self.rows)
            self.rows = []
        return written


def ids(model: type[models.Model]) -> Iterator[int]:
    """Yield unused primary keys, valid in the current transaction."""
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":  # one writer: no other insert can happen meanwhile
            cursor.execute(f"SELECT COALESCE(MAX(id), 0) FROM {table}")  # noqa: S608
            yield from count(cursor.fetchone()[0] + 1)
        while True:
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
                [model._meta.db_table, IDS_AT_ONCE],
            )
            yield from [number for (number,) in cursor.fetchall()]


@contextmanager
def many_writes() -> Iterator[None]:
    """Keep more of an SQLite file in memory, and copy its log back less often, meanwhile.

    The rows of a batch are entered in each index at places of no order: with SQLite's own cache
    of 2 MB more than half of the time is spent on reading and writing the same pages again.
    """
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        before = {}
        for name, value in MANY_WRITES.items():
            before[name] = cursor.execute(f"PRAGMA {name}").fetchone()[0]
            cursor.execute(f"PRAGMA {name} = {value}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for name, value in before.items():
                cursor.execute(f"PRAGMA {name} = {value}")
            cursor.execute("PRAGMA shrink_memory")


def analyze(tables: Iterable[type[models.Model]]) -> None:
    """Update the planner's statistics of tables that grew by a lot."""
    names = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in tables)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA analysis_limit = 2000")
            cursor.execute("ANALYZE")
        elif connection.in_atomic_block:
            cursor.execute(f"ANALYZE {names}")
        else:
            cursor.execute(f"VACUUM (ANALYZE) {names}")


def _insert(table: str, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    quote = connection.ops.quote_name
    into = f"{quote(table)} ({', '.join(map(quote, columns))})"
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            places = ", ".join(["%s"] * len(columns))
            cursor.executemany(f"INSERT INTO {into} VALUES ({places})", rows)  # noqa: S608
            return
        with cursor.cursor.copy(f"COPY {into} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


def _default(field: "models.Field[Any, Any]") -> Any:
    """Return the default of a field, also where the database would supply it."""
    from_database = not field.has_default() and field.db_default is not models.NOT_PROVIDED
    return field.db_default if from_database else field.get_default()


def _adapt_for(field: "models.Field[Any, Any]") -> Adapt | None:
    """Return how a value of a field is converted for the driver; ``None``: as it is."""
    if isinstance(field, models.JSONField):
        return json.dumps
    if isinstance(field, models.CharField | models.TextField):
        return str  # the value of a choice, not its enum member
    if connection.vendor == "sqlite":
        if isinstance(field, models.DateTimeField):
            return _utc
        if isinstance(field, models.DecimalField):
            return _fixed
    return None


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


def _fixed(amount: Decimal) -> str:
    return f"{amount:.2f}"
