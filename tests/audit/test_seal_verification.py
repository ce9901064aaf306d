"""Verification of the seals: what was changed, removed or added behind them is named."""

import json

import pytest

from audit import sealing
from audit.management.commands import audit_verify
from audit.models import AuditEntry
from audit.seal_verification import seals_verify
from lending.models import LendingPolicy
from tests import casework
from tests.audit.seals import as_owner, finding, look, verify

pytestmark = [pytest.mark.both_databases, pytest.mark.django_db]


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


def test_first_of_several_is_named() -> None:
    first, second = look(), look()
    sealing.seals_make()
    for entry in (second, first):
        as_owner("UPDATE audit_auditentry SET message = 'x' WHERE id = %s", entry.pk)
    assert finding().startswith(f"audit entry {first.pk} ")


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
