"""``Idempotency-Key``: a POST that is refused keeps no key, and one in flight is a conflict."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from applications.api import views
from applications.services import intake
from applications.signals import application_submitted
from lending.models import LendingPolicy
from partners.models import Partner
from partners.services import idempotency
from reviews.errors import DecisionExpired
from reviews.services import decisions
from tests import casework
from tests.partners.api.calls import ALICE, BASE, Caller, assert_problem, path
from tests.partners.api.idempotency import APPROVED, KEY, AsStaff, Rows, assert_replay, kept
from tests.partners.api.test_problems import CONFLICTS, Victim

# --- What is refused keeps no key ----------------------------------------------------------


def test_refused_submission_may_be_tried_again_under_its_key(api: Caller, rows: Rows) -> None:
    published = LendingPolicy.objects.values_list("published_at", flat=True).get()
    casework.change_policies(published_at=None)
    assert_problem(api.post(BASE, ALICE, **KEY), 409, "no-policy")
    assert kept() == 0

    casework.change_policies(published_at=published)

    assert api.post(BASE, ALICE, **KEY).status_code == 201
    assert rows() == (1, 2, 1)


@pytest.mark.parametrize(
    ("body", "media", "problem"),
    [
        (b'{"applicant_name": ""}', "application/json", (400, "invalid-application")),
        (b"{", "application/json", (400, "malformed-json")),
        (b"", "application/json", (400, "malformed-json")),
        (b" " * (1024 * 1024 + 1), "application/json", (413, "body-too-large")),
        (b"{}", "text/plain", (415, "unsupported-media-type")),
    ],
)
def test_request_that_cannot_be_read_may_be_mended_under_its_key(
    api: Caller, rows: Rows, body: bytes, media: str, problem: tuple[int, str]
) -> None:
    response = api.call("POST", BASE, data=body, content_type=media, headers=KEY)

    assert_problem(response, *problem)
    assert kept() == 0
    assert api.post(BASE, ALICE, **KEY).status_code == 201
    assert rows() == (1, 2, 1)


@pytest.mark.parametrize("reference", ["LOAN-23456789", "nothing"])
def test_404_keeps_no_key(api: Caller, reference: str) -> None:
    assert_problem(api.post(path(reference, "withdraw/"), {}, **KEY), 404, "not-found")
    assert kept() == 0


def test_unforeseen_error_leaves_nothing_and_the_key_may_be_tried_again(
    api: Caller, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Victim(intake._submit, 1, RuntimeError("secret"))
    monkeypatch.setattr(intake, "_submit", failing)

    assert_problem(api.post(BASE, ALICE, **KEY), 500, "internal-error")
    assert rows() == (0, 0, 0)
    assert kept() == 0
    assert api.post(BASE, ALICE, **KEY).status_code == 201


@pytest.mark.parametrize("headers", [KEY, {}], ids=["with a key", "without"])
def test_what_a_service_committed_before_it_was_refused_stays_and_no_key_does(
    as_staff: AsStaff,
    manager: User,
    partner: Partner,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
) -> None:
    def note_and_refuse(**_: Any) -> None:
        with transaction.atomic():
            Partner.objects.create(name="noted")
        raise DecisionExpired(reference="LOAN-1", at=timezone.now())

    monkeypatch.setattr(decisions, "task_decide", note_and_refuse)
    address = path(casework.waiting_for_manager(None, partner=partner).reference, "decision/")

    response = as_staff(manager).post(address, APPROVED, **headers)

    assert_problem(response, 409, "decision-expired")
    assert Partner.objects.filter(name="noted").exists()
    assert kept() == 0


@pytest.mark.parametrize("error", CONFLICTS.values(), ids=CONFLICTS.keys())
def test_post_that_loses_once_is_done_again_with_its_key(
    api: Caller, rows: Rows, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    service = Victim(intake._submit, 1, error)
    monkeypatch.setattr(intake, "_submit", service)

    first = api.post(BASE, ALICE, **KEY)

    assert first.status_code == 201
    assert_replay(api.post(BASE, ALICE, **KEY), first)
    assert service.calls == 2
    assert rows() == (1, 2, 1)


@pytest.mark.parametrize("error", CONFLICTS.values(), ids=CONFLICTS.keys())
def test_post_that_loses_twice_is_a_conflict_and_its_key_may_be_tried_again(
    api: Caller, rows: Rows, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    service = Victim(intake._submit, 2, error)
    monkeypatch.setattr(intake, "_submit", service)

    assert_problem(api.post(BASE, ALICE, **KEY), 409, "try-again")
    assert rows() == (0, 0, 0)
    assert kept() == 0
    assert api.post(BASE, ALICE, **KEY).status_code == 201


def test_read_that_loses_after_the_write_takes_the_write_back(
    api: Caller, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Victim(views.selectors.application_get, 1, CONFLICTS["words of SQLite"])
    monkeypatch.setattr(views.selectors, "application_get", read)

    assert api.submit().status_code == 201
    assert read.calls == 2
    assert rows() == (1, 2, 1)


# --- Still in flight -----------------------------------------------------------------------


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_key_that_is_still_in_flight_is_a_conflict_and_is_replayed_later(
    partner_key: str, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "LONGEST_WAIT", timedelta(milliseconds=200))
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 200")
    there, go_on = threading.Event(), threading.Event()

    def hold(**_: Any) -> None:
        there.set()
        assert go_on.wait(30)

    def send() -> Any:
        try:
            return Caller(partner_key).post(BASE, ALICE, **KEY)
        finally:
            connection.close()

    Caller(partner_key).get()  # so that noting the key's use has nothing to wait for
    application_submitted.connect(hold)
    try:
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(send)
            try:
                assert there.wait(30)
                second = Caller(partner_key).post(BASE, ALICE, **KEY)
            finally:
                go_on.set()
            first = sending.result(timeout=30)
    finally:
        application_submitted.disconnect(hold)

    assert_problem(second, 409, "idempotency-key-in-flight")
    assert first.status_code == 201
    assert_replay(Caller(partner_key).post(BASE, ALICE, **KEY), first)
    assert rows() == (1, 2, 1)
