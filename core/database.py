"""Search and change big tables: the differences between PostgreSQL and SQLite.

``locking`` has the locks. Knows no model; models, services and migrations may import it.
"""

from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func

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


def clock() -> str:
    """Return SQL for the microseconds since 1970 by the database's own clock.

    PostgreSQL's is read anew each time it stands in a statement; SQLite's, which goes by the
    millisecond, once in each.
    """
    if connection.vendor == "postgresql":
        return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS bigint)"
    return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) * 1000 AS INTEGER)"
