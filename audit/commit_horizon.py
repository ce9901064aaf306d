"""Find up to which key the rows of a table are complete: no row below it can still appear.

A key is drawn when a row is inserted, and the row appears when its transaction commits, so on
PostgreSQL a row may appear behind one with a higher key. An INSERT takes the table's ROW EXCLUSIVE
lock before it draws a key and keeps it until its transaction ends: once every transaction that
held such a lock after the highest key was read has ended, nothing at or below that key is missing.
Nobody waits for that, and nothing is locked here: the next call looks whether they have ended.

SQLite has one writer at a time, so what is committed is complete. The differences between the
databases are here.
"""

from collections.abc import Collection
from typing import Any

from django.db import connection
from django.db.models import Model

# The lock of an INSERT, and those above it that a transaction may hold instead.
_WRITING = ("RowExclusiveLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")


def highest_keys(models: Collection[type[Model]]) -> dict[str, int]:
    """Return the highest key of each table by the table's name; 0 where there is no row."""
    quote = connection.ops.quote_name
    tables = [model._meta.db_table for model in models]
    # The names are the models' own, quoted: SQL has no parameters for names.
    tops = ", ".join(f"(SELECT MAX(id) FROM {quote(table)})" for table in tables)  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {tops}")
        found = cursor.fetchone()
    return {table: top or 0 for table, top in zip(tables, found or (), strict=True)}


def writers(tables: Collection[str]) -> set[str]:
    """Return the running transactions, other than this one, that may have written to the tables.

    By the server's own names for them: empty on SQLite.
    """
    if connection.vendor != "postgresql":
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT virtualtransaction FROM pg_locks "
            "WHERE locktype = 'relation' AND granted AND mode = ANY(%s) "
            "AND pid IS DISTINCT FROM pg_backend_pid() "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND relation = ANY(%s::text[]::regclass[])",
            [list(_WRITING), [connection.ops.quote_name(table) for table in tables]],
        )
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return {str(name) for (name,) in rows}
