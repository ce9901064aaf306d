"""Seals: what they cover, that they close only what is complete, and what a verification finds."""

import json
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.utils import timezone

from applications.models import Disbursement
from audit import sealing
from audit.management.commands import audit_verify
from audit.models import Action, AuditEntry, Seal, SealingState, SealVerification
from audit.seal_verification import seals_verify
from audit.sealed_tables import REGISTERED, SealedTable, texts
from audit.selectors import seal_status
from audit.services import entry_record
from lending.models import LendingPolicy
from reviews.models import ReviewDecision
from tests import append_only, casework
from tests.hard_cases.together import together
from workflows import sweep
from workflows.models import PeriodicRun

pytestmark = [pytest.mark.both_databases, pytest.mark.django_db]

each_table = pytest.mark.parametrize("name", sorted(REGISTERED))


def look(message: str = "Looked.") -> AuditEntry:
    return entry_record(action=Action.VIEWED, message=message)


def verify() -> tuple[int, str, str]:
    """Run the command; return its exit code, its output and its progress."""
    out, err = StringIO(), StringIO()
    code = 0
    try:
        call_command("audit_verify", stdout=out, stderr=err, no_color=True)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, out.getvalue(), err.getvalue()


def finding() -> str:
    """The finding, after checking that the command ends with 1 and says it, too."""
    found = seals_verify().finding
    code, said, _ = verify()
    assert (code, found in said) == (1 if found else 0, True)
    return found


def as_owner(statement: str, *values: object) -> None:
    """Run a statement as the owner of the tables, who can disable the triggers."""
    with append_only.lifted(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        assert cursor.rowcount > 0


def sealed_keys(table: SealedTable) -> list[int]:
    return list(table.closed().values_list("pk", flat=True))


# --- Sealing ----------------------------------------------------------------------------


def test_one_seal_covers_all_that_was_added_and_the_next_one_the_rest(record: None) -> None:
    counts = {name: table.closed().count() for name, table in REGISTERED.items()}
    assert all(counts.values())

    sealed = sealing.seals_make()

    assert (sealed.number, sealed.seals, sealed.rows) == (1, 1, sum(counts.values()))
    assert sealing.seals_make().seals == 0  # nothing is new
    more = look()
    assert sealing.seals_make().rows == 1
    first, second = Seal.objects.all()
    document = json.loads(second.document)
    assert document["previous"] == first.hash
    assert document["tables"]["audit_auditentry"]["to"] == more.pk
    assert finding() == ""


def test_tables_of_every_app_are_registered_with_the_columns_that_their_triggers_fix() -> None:
    assert {name: set(table.may_change) for name, table in REGISTERED.items()} == {
        "applications_applicationevent": set(),
        "applications_disbursement": {"status", "rail_reference", "funded_at"},
        "audit_auditentry": set(),
        "lending_lendingpolicy": set(),
        "reviews_reviewdecision": {"late", "voided_at", "voided_because"},
    }


def test_text_of_a_row_is_the_same_on_both_databases(officer: User) -> None:
    entry = AuditEntry.objects.create(
        at=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        action=Action.CHANGED,
        message="Zoë changed",
        changes={"b": ["1.00", None], "a": [1, True]},
        details={"x": {"z": 1.5, "y": []}},
        address="2001:db8::1",
    )
    columns = [name for name in REGISTERED["audit_auditentry"].columns() if name != "id"]
    rows = AuditEntry.objects.filter(pk=entry.pk)
    ((_, text),) = texts(REGISTERED["audit_auditentry"], rows, columns=columns, parts={})
    assert text.decode() == (
        '["2026-01-02T03:04:05.000678+00:00","changed","Zo\\u00eb changed",null,"",false,'
        '"","","","",{"a":[1,true],"b":["1.00",null]},{"x":{"y":[],"z":1.5}},"2001:db8::1","",""]'
    )


def test_amount_in_a_text_has_the_places_of_its_column(officer: User) -> None:
    ledger = casework.disbursing(officer, loan_amount=Decimal(25000)).disbursement
    table = REGISTERED["applications_disbursement"]
    rows = Disbursement.objects.all()
    ((_, text),) = texts(table, rows, columns=["amount", "currency"], parts={})
    assert (text, ledger.amount) == (b'["25000.00","CAD"]', Decimal(25000))


def test_rows_beyond_the_bound_of_a_seal_go_into_the_next_one() -> None:
    for _ in range(5):
        look()
    sealed = sealing.seals_make(rows_at_once=2)
    assert (sealed.seals, sealed.rows) == (3, 6)  # with the policy
    assert finding() == ""
    look()
    assert sealing.seals_make(seconds=0.0, rows_at_once=2).rows == 1


def test_draft_of_a_policy_is_sealed_when_it_is_published() -> None:
    draft = LendingPolicy.objects.create(version=2)
    sealing.seals_make()
    LendingPolicy.objects.filter(pk=draft.pk).update(notes="still typed")
    assert sealing.seals_make().rows == 0
    LendingPolicy.objects.filter(pk=draft.pk).update(published_at=timezone.now())
    assert sealing.seals_make().rows == 1
    assert finding() == ""


@pytest.mark.django_db(transaction=True)
def test_several_runs_at_once_make_one_seal(record: None) -> None:
    found = together([sealing.seals_make] * 4)

    assert not [each for each in found if isinstance(each, Exception)]
    assert sum(each.seals for each in found if isinstance(each, sealing.Sealed)) == 1
    assert Seal.objects.count() == 1
    assert finding() == ""


@pytest.mark.postgres_only
@pytest.mark.django_db(transaction=True)
def test_row_that_commits_after_one_with_a_higher_key_is_never_behind_a_seal() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    inserted, commit = threading.Event(), threading.Event()

    def slow() -> int:
        try:
            with transaction.atomic():
                lower = look("the lower key")
                inserted.set()
                assert commit.wait(timeout=60)
            return lower.pk
        finally:
            connections.close_all()

    def quick() -> tuple[int, int]:
        try:
            assert inserted.wait(timeout=60)
            higher = look("the higher key").pk
            first = sealing.seals_make()
            again = sealing.seals_make()
            # One that begins later is not waited for: the keys were read before it.
            assert (first.waiting, again.waiting) == (1, 1)
            assert sealing.sealed_up_to(json.loads(_newest()), "audit_auditentry") is None
            return higher, first.rows
        finally:
            commit.set()
            connections.close_all()

    lower, told = together([slow, quick])
    assert isinstance(told, tuple)
    assert isinstance(lower, int)
    assert lower < told[0]

    assert sealing.seals_make().rows == 2
    assert seals_verify().finding == ""


def _newest() -> str:
    newest = sealing.seal_last()
    return newest.document if newest else '{"tables": {}}'


# --- Verifying --------------------------------------------------------------------------


@each_table
def test_changed_row_is_named(record: None, name: str) -> None:
    table = REGISTERED[name]
    sealing.seals_make()
    key = sealed_keys(table)[-1]
    column = {
        "applications_disbursement": "amount",
        "lending_lendingpolicy": "approval_threshold",
        "reviews_reviewdecision": "application_version",
        "audit_auditentry": "message",
        "applications_applicationevent": "message",
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


# --- Copies -----------------------------------------------------------------------------


def test_copies_are_lines_that_only_the_owner_reads(copies_file: Path) -> None:
    look()
    sealing.seals_make()
    assert sealing.seals_copy() == 1
    assert sealing.seals_copy() == 0
    assert copies_file.stat().st_mode & 0o777 == 0o600
    seal = Seal.objects.get()
    assert copies_file.read_text() == seal.document + "\n"
    assert "compared with 1 copies in" in verify()[1]


def test_line_that_a_killed_process_left_unfinished_vouches_for_nothing(copies_file: Path) -> None:
    look()
    sealing.seals_make()
    copies_file.write_text(Seal.objects.get().document[:50])
    sealing.seals_copy()
    assert finding() == ""
    assert len(copies_file.read_text().splitlines()) == 2


def forge(change: str, *values: object) -> None:
    """Change rows as the owner, and make all seals anew, each right in itself."""
    as_owner(change, *values)
    as_owner("DELETE FROM audit_seal")
    sealing.seals_make()


def test_database_whose_seals_were_rewritten_is_caught_and_its_row_named(
    record: None, copies_file: Path
) -> None:
    sealing.seals_make()
    sealing.seals_copy()
    key = Disbursement.objects.order_by("pk").values_list("pk", flat=True)[0]
    forge("UPDATE applications_disbursement SET amount = 1 WHERE id = %s", key)

    found = finding()

    assert found.startswith(f"Seal 1 was rewritten. By its copy in {copies_file}: disbursement ")
    assert f"{key} (applications_disbursement) was changed after seal 1" in found


def test_rewritten_seals_whose_forged_copies_were_added_are_caught(
    record: None, copies_file: Path
) -> None:
    sealing.seals_make()
    sealing.seals_copy()
    forge("UPDATE audit_auditentry SET message = 'x'")
    SealingState.objects.update(copied=0)
    sealing.seals_copy()
    assert finding().startswith("There is another seal 1 in")


def test_seal_that_is_only_in_the_copies_is_named(copies_file: Path) -> None:
    look()
    sealing.seals_make()
    look()
    sealing.seals_make()
    sealing.seals_copy()
    as_owner("DELETE FROM audit_seal WHERE number = 2")
    assert finding().startswith(f"Seal 2 is in {copies_file} and not in the database.")


def test_seal_without_a_copy_is_named_after_an_hour(copies_file: Path) -> None:
    look()
    sealing.seals_make()
    assert finding() == ""
    as_owner("UPDATE audit_seal SET at = %s", timezone.now() - timedelta(hours=2))
    assert finding() == f"Seal 1 has no copy in {copies_file}."


def test_restored_database_goes_on_after_the_restore_is_recorded(copies_file: Path) -> None:
    look()
    sealing.seals_make()
    lost = look()
    sealing.seals_make()
    sealing.seals_copy()
    as_owner("DELETE FROM audit_seal WHERE number = 2")
    as_owner("DELETE FROM audit_auditentry WHERE id = %s", lost.pk)
    SealingState.objects.update(copied=1)
    assert "is in" in finding()
    out = StringIO()

    call_command("audit_seal", "--after-restore", "The disk broke.", stdout=out)

    assert "Seal 2 records the restore; it gives up 1 seals." in out.getvalue()
    assert finding() == ""
    assert (
        "Seal 2 records a restore of the database, which lost 1 seals: The disk broke."
        in verify()[1]
    )
    assert AuditEntry.objects.filter(message__startswith="The database was put back").exists()
    look()
    sealing.seals_make()
    sealing.seals_copy()
    assert finding() == ""
    with pytest.raises(CommandError, match="Say why"):
        call_command("audit_seal", "--after-restore", " ")


def test_restore_is_recorded_in_a_database_without_any_seal(copies_file: Path) -> None:
    look()
    sealing.seals_make()
    sealing.seals_copy()
    as_owner("DELETE FROM audit_seal")
    call_command("audit_seal", "--after-restore", "All was lost.", stdout=StringIO())
    assert finding() == ""


def test_copies_that_cannot_be_reached_are_not_called_verified(
    settings: Any, tmp_path: Path
) -> None:
    settings.LOANOFFICE_SEAL_FILE = tmp_path  # a folder
    look()
    sealing.seals_make()
    code, said, errors = verify()
    assert (code, said) == (2, "")
    assert errors.startswith("Not known. CopiesUnreachable:")
    assert not SealVerification.objects.exists()
    with pytest.raises(CommandError, match="cannot be reached"):
        call_command("audit_seal")


# --- The sweep and the front page -----------------------------------------------------


def test_sweep_seals_and_copies(copies_file: Path) -> None:
    look()
    sweep.sweep()
    run = PeriodicRun.objects.get(name="seal")
    assert run.result == {"number": 1, "rows": 2, "waiting": 0, "copied": 1}


def test_sweep_goes_on_when_the_seals_cannot_be_copied(
    settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.LOANOFFICE_SEAL_FILE = tmp_path
    look()
    sweep.sweep()
    assert "cannot be written" in PeriodicRun.objects.get(name="seal").result["error"]
    assert PeriodicRun.objects.filter(name="forget_webhooks").exists()
    assert "The seals cannot be copied" in caplog.text
    settings.LOANOFFICE_SEAL_FILE = tmp_path / "seals.jsonl"
    assert sealing.seals_copy() == 1


def test_status_says_what_is_sealed_and_what_was_verified() -> None:
    status = seal_status()
    assert (status.sealed, status.verified, status.unsealed) == (0, 0, 1)  # the policy
    assert (status.sealed_at, status.verified_at) == (None, None)
    look()
    sealing.seals_make()
    seals_verify()
    look()
    look()
    status = seal_status()
    assert (status.sealed, status.verified, status.unsealed) == (1, 1, 2)
    as_owner("UPDATE audit_auditentry SET message = 'x'")
    seals_verify()
    after = seal_status()
    assert "was changed" in after.finding
    assert after.verified_at == status.verified_at  # the last good one


@pytest.mark.usefixtures("record")
def test_status_takes_few_queries_whatever_there_is(
    django_assert_num_queries: Any,
) -> None:
    sealing.seals_make()
    with django_assert_num_queries(4):
        seal_status()
