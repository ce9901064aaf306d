"""Search and change tables: the differences between PostgreSQL and SQLite, and single statements.

``locking`` has the locks. Knows no model; models, services and migrations may import it.
"""

from collections.abc import Sequence
from itertools import batched
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func, Model
from django.db.models.sql import InsertQuery

# Sorts after every string with the same prefix: Unicode's last code point, never assigned.
LAST = "\U0010ffff"


def byte_order(database: BaseDatabaseWrapper) -> str | None:
    """Return the collation that compares byte by byte, so that an index finds a prefix.

    PostgreSQL orders by language by default; SQLite's own order is that one.
    """
    return "C" if database.vendor == "postgresql" else None


def beginning(field: str, start: str) -> dict[str, str]:
    """Return the lookups by which an index finds the prefix ``start``, case-sensitively.

    PostgreSQL's ``LIKE`` uses the index of a unique name, or one in byte order. SQLite's
    ignores case and uses no index, so there it is a range.
    """
    if connection.vendor == "postgresql":
        return {f"{field}__startswith": start}
    return {f"{field}__gte": start, f"{field}__lt": start + LAST}


class NotLookedUp(Func):
    """Compare a column without using its index, on rows that another index has found.

    Without it SQLite, which does not know how common a value is, may take the wrong index
    and then sort. PostgreSQL counts values, and sees the column itself.
    """

    template = "%(expressions)s"
    arity = 1

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return super().as_sql(compiler, connection, template="+%(expressions)s", **context)


def insert_once(row: Model, *, unique: str) -> bool:
    """Insert a row in one statement; false, and nothing is written, if its ``unique`` value exists.

    Only that: unlike ``bulk_create(ignore_conflicts=True)``, which on SQLite also passes over a
    missing value, every other constraint is kept. A row that is inserted gets its primary key.
    """
    return bool(insert_many_once([row], unique=unique))


def insert_many_once[M: Model](rows: Sequence[M], *, unique: str) -> list[M]:
    """Insert rows of one model as ``insert_once`` does; returns those that were inserted.

    In as few statements as the database allows.
    """
    if not rows:
        return []
    model = type(rows[0])
    fields = model._meta.concrete_fields
    written = [field for field in fields if not field.primary_key]
    (key,) = (field.column for field in fields if field.primary_key)
    (target,) = (field for field in fields if field.name == unique)
    returned = f'"{key}", "{target.column}"'
    inserted = []
    for batch in batched(rows, connection.ops.bulk_batch_size(written, rows)):
        query = InsertQuery(model)
        query.insert_values(written, list(batch))
        ((sql, values),) = query.get_compiler(connection=connection).as_sql()
        once = f'{sql} ON CONFLICT ("{target.column}") DO NOTHING RETURNING {returned}'
        with connection.cursor() as cursor:
            cursor.execute(once, values)
            keys = {value: pk for pk, value in cursor.fetchall()}
        for row in batch:
            pk = keys.pop(getattr(row, target.attname), None)
            if pk is not None:
                row.pk, row._state.adding, row._state.db = pk, False, connection.alias
                inserted.append(row)
    return inserted


def clock() -> str:
    """Return SQL for the microseconds since 1970 by the database's own clock.

    PostgreSQL's is read anew each time it stands in a statement; SQLite's, which goes by the
    millisecond, once in each.
    """
    if connection.vendor == "postgresql":
        return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS bigint)"
    return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) * 1000 AS INTEGER)"
