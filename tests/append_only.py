"""Change append-only rows in tests: the product cannot, and must not."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from lending.services import policy_published


@contextmanager
def lifted() -> Iterator[None]:
    """Rows may be changed and deleted in here, as by the owner of the tables."""
    try:
        with _without_triggers():
            yield
    finally:
        policy_published.cache_clear()


@contextmanager
def _without_triggers() -> Iterator[None]:
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL session_replication_role = replica")
            yield
            cursor.execute("SET LOCAL session_replication_role = DEFAULT")
            return
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%_no_%'"
        )
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f'DROP TRIGGER "{name}"')
        yield
        for _, sql in triggers:
            cursor.execute(sql)
