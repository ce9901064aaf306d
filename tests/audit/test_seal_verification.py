"""Verification of the seals: what was changed, removed or added behind them is named."""

import json

import pytest
from django.db import transaction

from applications.models import Disbursement
from audit import sealing
from audit.management.commands import audit_verify
from audit.models import Action, AuditEntry
from audit.seal_verification import seals_verify
from audit.sealed_tables import REGISTERED, SealedTable
from lending.models import LendingPolicy
from reviews.models import ReviewDecision
from tests import casework
from tests.audit.seals import as_owner, finding, look, verify

pytestmark = [pytest.mark.both_databases, pytest.mark.django_db]
each_table = pytest.mark.parametrize("name", sorted(REGISTERED))


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


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE lending_policytier SET annual_rate = 1 WHERE tier = 'prime'",
        "DELETE FROM lending_policyauthority WHERE role = 'manager'",
        "INSERT INTO lending_policyauthority (policy_id, role, ceiling) SELECT id, 'x', 1 "
        "FROM lending_lendingpolicy",
    ],
)
def test_part_of_a_published_policy_that_was_changed_names_the_policy(statement: str) -> None:
    sealing.seals_make()
    as_owner(statement)
    key = LendingPolicy.objects.get().pk
    assert finding().startswith(f"lending policy {key} (lending_lendingpolicy) was changed")


def test_policy_that_was_made_a_draft_again_is_named() -> None:
    sealing.seals_make()
    casework.change_policies(published_at=None)
    assert "(lending_lendingpolicy) was removed after seal 1" in finding()


def test_what_may_change_is_no_finding(record: None) -> None:
    sealing.seals_make()
    Disbursement.objects.update(status="unknown", rail_reference="WIRE-7")
    ReviewDecision.objects.update(late=True)
    assert finding() == ""


def test_first_of_several_is_named() -> None:
    first, second = look(), look()
    sealing.seals_make()
    for entry in (second, first):
        as_owner("UPDATE audit_auditentry SET message = 'x' WHERE id = %s", entry.pk)
    assert finding().startswith(f"audit entry {first.pk} ")


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


def test_seal_that_leaves_rows_out_is_named() -> None:
    look()
    sealing.seals_make()
    look()
    newest = sealing.seal_last()
    assert newest is not None
    tables = json.loads(newest.document)["tables"]
    tables["audit_auditentry"] |= {"after": AuditEntry.objects.latest("pk").pk, "rows": 0}
    tables["audit_auditentry"]["to"] = tables["audit_auditentry"]["after"]
    sealing._write(sealing._document(tables), newest)
    assert finding() == "Seal 2 leaves out rows of audit_auditentry."


def test_what_is_not_sealed_yet_is_stated() -> None:
    sealing.seals_make()
    look()
    found = seals_verify()
    assert [(each.label, each.rows) for each in found.unsealed] == [("audit log entries", 1)]
    assert "Not sealed yet: 1 audit log entries." in verify()[1]


def test_verification_without_seals_or_rows_is_clear() -> None:
    assert verify()[0] == 0


def test_progress_goes_to_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_verify, "SAY_EVERY", 2)
    for _ in range(3):
        look()
    sealing.seals_make(rows_at_once=1)
    assert verify()[2].splitlines() == ["2 rows verified ...", "4 rows verified ..."]
