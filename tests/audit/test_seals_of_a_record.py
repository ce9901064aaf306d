"""Verification of the seals in a full record: what was changed behind them is named."""

import pytest
from django.db import transaction
from pytest_django import DjangoDbBlocker

from accounts.roles import Role
from applications.models import Disbursement
from audit import sealing
from audit.models import Action, AuditEntry
from audit.sealed_tables import REGISTERED, SealedTable
from reviews.models import ReviewDecision
from tests.audit.protected import make_record
from tests.audit.seals import as_owner, finding, look
from tests.casework import staff

pytestmark = [pytest.mark.both_databases, pytest.mark.django_db]
each_table = pytest.mark.parametrize("name", sorted(REGISTERED))


@pytest.fixture(scope="module")
def rows(module_rows: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Rows in every table that is sealed."""
    with django_db_blocker.unblock():
        make_record(staff("officer", Role.LOAN_OFFICER), staff("manager", Role.MANAGER))


@pytest.fixture
def record(db: None, rows: None) -> None:
    """Rows in every table that is sealed, made once for the module."""


def sealed_keys(table: SealedTable) -> list[int]:
    return list(table.closed().values_list("pk", flat=True))


@each_table
def test_changed_row_is_named(record: None, name: str) -> None:
    table = REGISTERED[name]
    sealing.seals_make()
    key = sealed_keys(table)[-1]
    column = {
        "applications_disbursement": "amount",
        "lending_lendingpolicy": "approval_threshold",
        "reviews_reviewdecision": "application_version",
        "reviews_informationrequest": "message",
        "audit_auditentry": "message",
        "applications_applicationevent": "message",
        "applications_applicationnote": "text",
    }[name]
    as_owner(f'UPDATE "{name}" SET "{column}" = \'7\' WHERE id = %s', key)

    assert finding().startswith(
        f"{table.label} {key} ({name}) was changed after seal 1 closed it ("
    )


@each_table
def test_removed_row_is_named(record: None, name: str) -> None:
    table = REGISTERED[name]
    sealing.seals_make()
    key = sealed_keys(table)[-1]
    as_owner(f'DELETE FROM "{name}" WHERE id = %s', key)

    assert finding().startswith(f"{table.label} {key} ({name}) was removed after seal 1 closed it")


def test_row_added_behind_is_named(record: None) -> None:
    gone = look()
    look()
    as_owner("DELETE FROM audit_auditentry WHERE id = %s", gone.pk)
    sealing.seals_make()
    assert finding() == ""

    AuditEntry.objects.create(pk=gone.pk, action=Action.VIEWED, message="Never happened.")

    assert finding().startswith(
        f"audit entry {gone.pk} (audit_auditentry) was added behind: after seal 1 closed its range"
    )


def test_row_added_below_the_first_key_is_named(record: None) -> None:
    sealing.seals_make()
    AuditEntry.objects.create(pk=-5, action=Action.VIEWED, message="Never happened.")
    assert finding().startswith("audit entry -5 (audit_auditentry) was added behind")


def test_what_may_change_is_no_finding(record: None) -> None:
    sealing.seals_make()
    Disbursement.objects.update(status="unknown", rail_reference="WIRE-7")
    ReviewDecision.objects.update(late=True)
    assert finding() == ""


def test_seal_that_was_changed_removed_or_put_between_is_named(record: None) -> None:
    for _ in range(3):
        look()
        sealing.seals_make()
    for statement, said in (
        ("UPDATE audit_seal SET hash = 'x' WHERE number = 2", "Seal 2 was changed"),
        (
            "UPDATE audit_seal SET document = replace(document, 'rows', 'sows') WHERE number = 2",
            "Seal 2 was changed",
        ),
        ("DELETE FROM audit_seal WHERE number = 2", "Seal 2 was removed: seal 3 comes next."),
        ("DELETE FROM audit_seal WHERE number = 1", "Seal 1 was removed: seal 2 comes next."),
    ):
        with transaction.atomic():
            as_owner(statement)
            assert finding().startswith(said)
            transaction.set_rollback(True)
    assert finding() == ""
