"""Add triggers that refuse UPDATE and DELETE on a table, for every client. For migrations.

The models refuse as well, but a shell, a careless service or another program on the database
would bypass them. The differences between PostgreSQL and SQLite are here and nowhere else. The
owner of the tables can still remove the triggers: the account that the product runs under need
not be the owner (see the runbook).
"""

from typing import Any

FUNCTION = "loanoffice_append_only"
OPERATIONS = ("update", "delete")


def trigger_name(table: str, operation: str) -> str:
    return f"{table}_no_{operation}"


def protect(schema_editor: Any, table: str) -> None:
    """Make ``table`` append-only: rows are added and read, and nothing else."""
    quoted = schema_editor.quote_name(table)
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(_PG_FUNCTION, params=None)  # % is PL/pgSQL's own
        for operation in OPERATIONS:
            name = schema_editor.quote_name(trigger_name(table, operation))
            schema_editor.execute(
                f"CREATE OR REPLACE TRIGGER {name} BEFORE {operation.upper()} ON {quoted} "
                f"FOR EACH ROW EXECUTE FUNCTION {FUNCTION}()"
            )
        return
    for operation in OPERATIONS:
        name = schema_editor.quote_name(trigger_name(table, operation))
        schema_editor.execute(
            f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {operation.upper()} ON {quoted} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: {operation} is refused'); END"
        )


def release(schema_editor: Any, table: str) -> None:
    """Remove the triggers: the reverse of a migration."""
    quoted = schema_editor.quote_name(table)
    on = f" ON {quoted}" if schema_editor.connection.vendor == "postgresql" else ""
    for operation in OPERATIONS:
        name = schema_editor.quote_name(trigger_name(table, operation))
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")


_PG_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, lower(TG_OP)
        USING ERRCODE = 'integrity_constraint_violation';
END $$
"""
