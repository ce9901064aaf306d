"""Add triggers that keep the rows of a table as they were written. For migrations.

The models refuse as well, but a shell, a careless service or another program on the database
would bypass them. The differences between PostgreSQL and SQLite are here and nowhere else. The
owner of the tables can still remove the triggers: the login that the product uses is another one
(``database_login``), and what an owner changes is found by the seals (``seal_verification``).

On SQLite a REPLACE deletes the row in its way, and fires the triggers only on a connection with
``PRAGMA recursive_triggers``; the settings give it to every one.
"""

from collections.abc import Collection, Iterator
from typing import Any

FUNCTION = "loanoffice_append_only"
PARENT_FUNCTION = "loanoffice_append_only_by_parent"
OPERATIONS = ("update", "delete")
OF_PARTS = ("insert", *OPERATIONS)
ON_POSTGRESQL = ("truncate",)  # SQLite has no such statement


def trigger_name(table: str, operation: str) -> str:
    return f"{table}_no_{operation}"


def protect(
    schema_editor: Any,
    table: str,
    *,
    may_change: Collection[str] = (),
    closed_by: str = "",
    ended_by: str = "",
) -> None:
    """Make ``table`` append-only: rows are added and read, and nothing else.

    ``may_change`` names the columns that an UPDATE may still change; of a row for which
    ``ended_by`` is true, an SQL condition on ``OLD``, not even those. ``closed_by`` names a column
    that is NULL while a row is a draft: until it has a value, the row may be changed and deleted.
    """
    closed = f"OLD.{schema_editor.quote_name(closed_by)} IS NOT NULL" if closed_by else ""
    for operation in OPERATIONS:
        when = [closed] if closed else []
        if operation == "update" and may_change:
            differs = _differs(schema_editor, table, may_change)
            when.append(f"({differs} OR {ended_by})" if ended_by else f"({differs})")
        _create(schema_editor, table, operation, " AND ".join(when))
    _refuse_truncate(schema_editor, table)


def protect_parts(schema_editor: Any, table: str, *, parent: str, key: str, closed_by: str) -> None:
    """Refuse to add, change and delete rows whose parent is closed.

    ``key`` is the column that refers to ``parent``; the parent is closed when its column
    ``closed_by`` has a value.
    """
    quote = schema_editor.quote_name
    for operation in OF_PARTS:
        rows = {"insert": ("NEW",), "update": ("OLD", "NEW"), "delete": ("OLD",)}[operation]
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(_PG_PARENT_FUNCTION, params=None)
            schema_editor.execute(
                f"CREATE OR REPLACE TRIGGER {quote(trigger_name(table, operation))} "
                f"BEFORE {operation.upper()} ON {quote(table)} FOR EACH ROW "
                f"EXECUTE FUNCTION {PARENT_FUNCTION}('{parent}', '{key}', '{closed_by}')"
            )
        else:
            keys = ", ".join(f"{row}.{quote(key)}" for row in rows)
            # A trigger's definition takes no parameters; the names are quoted.
            _create(
                schema_editor,
                table,
                operation,
                f"EXISTS (SELECT 1 FROM {quote(parent)} "  # noqa: S608
                f"WHERE id IN ({keys}) AND {quote(closed_by)} IS NOT NULL)",
            )
    _refuse_truncate(schema_editor, table)


def release(schema_editor: Any, table: str) -> None:
    """Remove the triggers: the reverse of a migration."""
    quoted = schema_editor.quote_name(table)
    on = f" ON {quoted}" if schema_editor.connection.vendor == "postgresql" else ""
    for operation in (*OF_PARTS, *ON_POSTGRESQL):
        name = schema_editor.quote_name(trigger_name(table, operation))
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")


def _create(schema_editor: Any, table: str, operation: str, when: str) -> None:
    """Create a trigger that refuses ``operation`` on each row for which ``when`` is true."""
    quoted = schema_editor.quote_name(table)
    name = schema_editor.quote_name(trigger_name(table, operation))
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(_PG_FUNCTION, params=None)  # % is PL/pgSQL's own
        schema_editor.execute(
            f"CREATE OR REPLACE TRIGGER {name} BEFORE {operation.upper()} ON {quoted} FOR EACH ROW "
            f"{f'WHEN ({when}) ' if when else ''}EXECUTE FUNCTION {FUNCTION}()"
        )
        return
    schema_editor.execute(
        f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {operation.upper()} ON {quoted} "
        f"{f'WHEN {when} ' if when else ''}"
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: {operation} is refused'); END"
    )


def _refuse_truncate(schema_editor: Any, table: str) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute(_PG_FUNCTION, params=None)
    for operation in ON_POSTGRESQL:
        schema_editor.execute(
            f"CREATE OR REPLACE TRIGGER {schema_editor.quote_name(trigger_name(table, operation))} "
            f"BEFORE {operation.upper()} ON {schema_editor.quote_name(table)} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {FUNCTION}()"
        )


def _differs(schema_editor: Any, table: str, may_change: Collection[str]) -> str:
    """Return SQL that is true when a column outside of ``may_change`` gets another value."""
    unlike = "IS DISTINCT FROM" if schema_editor.connection.vendor == "postgresql" else "IS NOT"
    return " OR ".join(
        f"OLD.{column} {unlike} NEW.{column}"
        for column in map(schema_editor.quote_name, _fixed(schema_editor, table, may_change))
    )


def _fixed(schema_editor: Any, table: str, may_change: Collection[str]) -> Iterator[str]:
    with schema_editor.connection.cursor() as cursor:
        described = schema_editor.connection.introspection.get_table_description(cursor, table)
    names = [column.name for column in described]
    if unknown := set(may_change) - set(names):
        raise ValueError(f"{table} has no column {', '.join(sorted(unknown))}.")
    yield from (name for name in names if name not in may_change)


_PG_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, lower(TG_OP)
        USING ERRCODE = 'integrity_constraint_violation';
END $$
"""

# FOR SHARE: a parent that another transaction is about to close is waited for.
_PG_PARENT_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {PARENT_FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    parts jsonb[] := '{{}}';
    part jsonb;
    closed boolean;
BEGIN
    IF TG_OP <> 'INSERT' THEN parts := parts || to_jsonb(OLD); END IF;
    IF TG_OP <> 'DELETE' THEN parts := parts || to_jsonb(NEW); END IF;
    FOREACH part IN ARRAY parts LOOP
        EXECUTE format('SELECT %I IS NOT NULL FROM %I.%I WHERE id = $1 FOR SHARE',
                       TG_ARGV[2], TG_TABLE_SCHEMA, TG_ARGV[0])
            INTO closed USING (part ->> TG_ARGV[1])::bigint;
        IF closed THEN
            RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, lower(TG_OP)
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END LOOP;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$
"""  # noqa: S608
