"""Seals: what they cover, that they close only what is complete, and who makes them."""

import json
import threading
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction
from django.utils import timezone

from applications.models import Disbursement
from audit import sealing
from audit.models import Action, AuditEntry, Seal
from audit.seal_verification import seals_verify
from audit.sealed_tables import REGISTERED, texts
from audit.selectors import seal_status
from lending.models import LendingPolicy
from tests import casework
from tests.audit.seals import as_owner, finding, look
from tests.hard_cases.together import together
from workflows import sweep
from workflows.models import PeriodicRun

pytestmark = [pytest.mark.both_databases, pytest.mark.django_db]


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
        "applications_applicationnote": set(),
        "applications_disbursement": {"status", "rail_reference", "funded_at", "orders"},
        "audit_auditentry": set(),
        "lending_lendingpolicy": set(),
        "reviews_informationrequest": {
            *("status", "answer", "answered_by_id", "answered_at", "cancelled_at")
        },
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
