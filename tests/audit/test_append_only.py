"""Append-only rows stay as they were written: the model and the database refuse changes."""

import pytest
from django.db import IntegrityError, connection, transaction

from applications.models import ApplicationEvent, LoanApplication
from audit.append_only import OPERATIONS, trigger_name
from audit.models import Action, AppendOnlyError, AuditEntry
from audit.services import entry_record

TABLES = (AuditEntry._meta.db_table, ApplicationEvent._meta.db_table)
STATEMENTS = ("UPDATE {} SET message = 'another'", "DELETE FROM {}")


@pytest.fixture
def entry(draft: LoanApplication) -> AuditEntry:
    return entry_record(action=Action.VIEWED, message="Looked.", target=draft)


def test_model_refuses_to_change_or_delete_an_entry(entry: AuditEntry) -> None:
    entry.message = "another"
    for attempt in (
        entry.save,
        entry.delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(message="another"),
    ):
        with pytest.raises(AppendOnlyError):
            attempt()
    assert AuditEntry.objects.get(pk=entry.pk).message == "Looked."


@pytest.mark.both_databases
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("statement", STATEMENTS)
def test_database_refuses_what_goes_past_the_model(
    entry: AuditEntry, table: str, statement: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT * FROM "{table}" ORDER BY id')  # noqa: S608
        before = cursor.fetchall()
        with pytest.raises(IntegrityError, match=f"{table} is append-only"), transaction.atomic():
            cursor.execute(statement.format(f'"{table}"'))
        cursor.execute(f'SELECT * FROM "{table}" ORDER BY id')  # noqa: S608
        assert before
        assert cursor.fetchall() == before


@pytest.mark.both_databases
@pytest.mark.django_db
@pytest.mark.parametrize("table", TABLES)
def test_triggers_are_there_after_all_migrations(table: str) -> None:
    """SQLite forgets them when a migration rebuilds the table: it has to call ``protect`` again."""
    names = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass "
        "AND NOT tgisinternal AND tgenabled = 'O'",
    }
    with connection.cursor() as cursor:
        cursor.execute(names[connection.vendor], [table])
        found = {name for (name,) in cursor.fetchall()}
    assert {trigger_name(table, operation) for operation in OPERATIONS} <= found


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_", ["once", "and again, between which Django empties the tables"])
def test_tests_begin_with_no_entries_and_the_triggers_in_place(_: str) -> None:
    assert not AuditEntry.objects.exists()
    entry_record(action=Action.VIEWED, message="Looked.")
    with connection.cursor() as cursor, pytest.raises(IntegrityError, match="append-only"):
        cursor.execute("DELETE FROM audit_auditentry")
