"""Read the database's query plans of a page: for tests of indexes."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection
from django.test.utils import CaptureQueriesContext

SORTS = ("USE TEMP B-TREE FOR ORDER BY", "Sort Key")


def plans(table: str, do: Callable[[], object]) -> list[tuple[str, str]]:
    """Each query of ``do`` about rows of ``table``, with its plan."""
    with CaptureQueriesContext(connection) as captured:
        do()
    asked = [query["sql"] for query in captured.captured_queries]
    about = re.compile(rf'^SELECT.* FROM \(?(SELECT.* FROM )?"{table}"', re.DOTALL)
    with _indexes_preferred():
        return [(sql, plan(sql)) for sql in asked if about.match(sql)]


def plan(sql: str) -> str:
    """The lines of ``EXPLAIN``."""
    how = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        cursor.cursor.execute(f"{how} {sql}")  # as it is: it has its values already
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


@contextmanager
def _indexes_preferred() -> Iterator[None]:
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        for way in ("seqscan", "bitmapscan", "sort", "incremental_sort"):
            cursor.execute(f"SET LOCAL enable_{way} TO off")
        yield
        for way in ("seqscan", "bitmapscan", "sort", "incremental_sort"):
            cursor.execute(f"SET LOCAL enable_{way} TO on")
