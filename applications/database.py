"""Big tables: what differs between PostgreSQL and SQLite when they are searched or changed.

``locking`` has the locks. Knows no model; models, services and migrations may import it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import AddIndex
from django.db.migrations.state import ProjectState
from django.db.models import Func

ROWS_AT_ONCE = 1000
# Sorts after every string with the same beginning: Unicode's last code point, which is no sign.
LAST = "\U0010ffff"


def byte_order(database: BaseDatabaseWrapper) -> str | None:
    """The collation that compares byte by byte, so that an index finds a beginning.

    PostgreSQL orders by language unless it is told not to; SQLite's own order is that one.
    """
    return "C" if database.vendor == "postgresql" else None


def beginning(field: str, start: str) -> dict[str, str]:
    """The lookups by which an index finds what begins with ``start``, capitals as they are.

    PostgreSQL's ``LIKE`` uses the index of a unique name, or one in byte order. SQLite's
    takes capitals for small letters and no index, so there it is a range.
    """
    if connection.vendor == "postgresql":
        return {f"{field}__startswith": start}
    return {f"{field}__gte": start, f"{field}__lt": start + LAST}


class NotLookedUp(Func):
    """A column by which rows are only told apart that another column's index has found.

    Without it SQLite, which does not know how common a value is, may take the wrong index
    and then sort. PostgreSQL counts values, and sees the column itself.
    """

    template = "%(expressions)s"
    arity = 1

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return super().as_sql(compiler, connection, template="+%(expressions)s", **context)


class AddIndexOnline(AddIndex):
    """``AddIndex`` that others do not wait for: PostgreSQL builds it while rows are written.

    The migration has to be ``atomic = False``. An index that a build left behind when it was
    interrupted is invalid; it is dropped and built again. SQLite has one writer, and builds
    it as ever.
    """

    atomic = False

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        if _is_left_behind(schema_editor.connection, self.index.name):
            schema_editor.remove_index(model, self.index, concurrently=True)  # type: ignore[call-arg]
        schema_editor.add_index(model, self.index, concurrently=True)  # type: ignore[call-arg]

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)
            return
        model = from_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.remove_index(model, self.index, concurrently=True)  # type: ignore[call-arg]


def in_pieces(rows: "models.QuerySet[Any]", *fields: str) -> Iterator[list[tuple[Any, ...]]]:
    """``(pk, *fields)`` of rows by primary key, so many at once; each read is short."""
    last = 0
    while True:
        piece = list(
            rows.filter(pk__gt=last).order_by("pk").values_list("pk", *fields)[:ROWS_AT_ONCE]
        )
        if not piece:
            return
        yield piece
        last = piece[-1][0]


def update_each(
    table: str, *, sets: list[str], where: list[str], values: Sequence[tuple[Any, ...]]
) -> None:
    """One short transaction: for each of ``values``, set columns where columns are."""
    quote = connection.ops.quote_name
    assigned = ", ".join(f"{quote(name)} = %s" for name in sets)
    found = " AND ".join(f"{quote(name)} = %s" for name in where)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {quote(table)} SET {assigned} WHERE {found}", values)  # noqa: S608


def _is_left_behind(database: BaseDatabaseWrapper, index: str) -> bool:
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid",
            [database.ops.quote_name(index)],
        )
        return cursor.fetchone() is not None
