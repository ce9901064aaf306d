"""Case 21. The owner of the database disables the triggers, changes a row, and enables them again.

Nothing else of the database shows it. ``audit_verify`` names the row and ends with 1; with the
triggers disabled nothing is refused, so the seals alone hold what was.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from applications.models import ApplicationEvent, Disbursement, LoanApplication
from audit.models import AuditEntry
from tests import casework

pytestmark = [pytest.mark.both_databases, pytest.mark.django_db]


@pytest.fixture
def application(officer: User, settings: Any, tmp_path: Path) -> LoanApplication:
    """A funded application, all of it sealed and copied."""
    settings.LOANOFFICE_SEAL_FILE = tmp_path / "seals.jsonl"
    application = casework.funded(officer)
    call_command("audit_seal", stdout=StringIO(), stderr=StringIO())
    assert verify() == (0, "Everything is as it was sealed.")
    return application


@contextmanager
def triggers_disabled(table: str) -> Iterator[None]:
    """The statements of an owner, who is no superuser."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER USER')
            yield
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(f'ALTER TABLE "{table}" ENABLE TRIGGER USER')
            return
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [table]
        )
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f'DROP TRIGGER "{name}"')
        yield
        for _, statement in triggers:
            cursor.execute(statement)


def verify() -> tuple[int, str]:
    """The exit code of the command, and the last line that it says."""
    out, code = StringIO(), 0
    try:
        call_command("audit_verify", stdout=out, stderr=StringIO(), no_color=True)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, out.getvalue().strip().splitlines()[-1]


def tamper(table: str, statement: str, key: int) -> tuple[int, str]:
    """Refused while the triggers are there; done without them; then verified."""
    with connection.cursor() as cursor:
        with pytest.raises(IntegrityError, match="is append-only"), transaction.atomic():
            cursor.execute(statement, [key])
        with triggers_disabled(table):
            cursor.execute(statement, [key])
            assert cursor.rowcount == 1
        with pytest.raises(IntegrityError, match="is append-only"), transaction.atomic():
            cursor.execute(f'DELETE FROM "{table}"')
    return verify()


def test_one_changed_audit_row_is_named(application: LoanApplication) -> None:
    key = AuditEntry.objects.latest("pk").pk
    code, said = tamper(
        "audit_auditentry", "UPDATE audit_auditentry SET who = 'somebody' WHERE id = %s", key
    )
    assert code == 1
    assert said.startswith(f"audit entry {key} (audit_auditentry) was changed after seal 1")


def test_one_removed_timeline_row_is_named(application: LoanApplication) -> None:
    key = ApplicationEvent.objects.filter(application=application)[2].pk
    code, said = tamper(
        "applications_applicationevent",
        "DELETE FROM applications_applicationevent WHERE id = %s",
        key,
    )
    assert code == 1
    assert said.startswith(
        f"application event {key} (applications_applicationevent) was removed after seal 1"
    )


def test_one_changed_ledger_amount_is_named(application: LoanApplication) -> None:
    key = Disbursement.objects.get(application=application).pk
    code, said = tamper(
        "applications_disbursement",
        "UPDATE applications_disbursement SET amount = amount + 1 WHERE id = %s",
        key,
    )
    assert code == 1
    assert said.startswith(f"disbursement {key} (applications_disbursement) was changed after seal")
