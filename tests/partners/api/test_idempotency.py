"""``Idempotency-Key``: a POST that is sent again is answered again, and not done again."""

import io
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIRequest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate

from applications.models import LoanApplication
from applications.services import intake
from applications.signals import application_submitted
from lending.models import LendingPolicy
from partners.api.base import ApiView
from partners.api.errors import Malformed
from partners.api.parsers import raw_body
from partners.models import IdempotencyKey, Partner, PartnerKey
from partners.services import idempotency, keys
from reviews.errors import DecisionExpired
from reviews.models import ReviewDecision
from reviews.services import decisions
from tests import casework
from tests.partners.api import contract
from tests.partners.api.calls import ALICE, BASE, Caller, assert_problem, path
from tests.partners.api.test_problems import CONFLICTS, Victim

Rows = Callable[[], tuple[int, ...]]
AsStaff = Callable[[User], Caller]
KEY = {"Idempotency-Key": "7d2f9c1e-crm-42"}
APPROVED = {"approved": True}


def kept() -> int:
    return IdempotencyKey.objects.count()


def assert_replay(response: Any, first: Any) -> None:
    """``response`` is ``first`` once more, to the byte, and says so."""
    assert response["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert (response.status_code, response.content) == (first.status_code, first.content)
    mine = {"X-Request-Id", "Idempotent-Replayed"}
    assert {name: value for name, value in response.items() if name not in mine} == {
        name: value for name, value in first.items() if name not in mine
    }


# --- The same again -------------------------------------------------------------------------


def test_submission_under_a_key_is_done_once_and_answered_twice(api: Caller, rows: Rows) -> None:
    first = api.post(BASE, {**ALICE, "applicant_name": "Zoë 🦉 سلمان"}, **KEY)
    second = api.post(BASE, {**ALICE, "applicant_name": "Zoë 🦉 سلمان"}, **KEY)

    assert first.status_code == 201
    assert first["Location"].endswith(path(first.json()["reference"]))
    assert_replay(second, first)
    assert rows() == (1, 2, 1)


def test_what_leaves_at_commit_leaves_once(
    api: Caller, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks() as first:
        api.post(BASE, ALICE, **KEY)
    with django_capture_on_commit_callbacks() as second:
        api.post(BASE, ALICE, **KEY)

    assert (len(first), len(second)) == (1, 0)


def test_replay_is_the_answer_of_then_though_the_case_went_on(api: Caller) -> None:
    first = api.post(BASE, ALICE, **KEY)
    reference = first.json()["reference"]
    api.post(path(reference, "withdraw/"))

    assert api.get(path(reference)).json()["status"] == "withdrawn"
    assert_replay(api.post(BASE, ALICE, **KEY), first)


def test_replay_has_a_request_id_of_its_own(api: Caller) -> None:
    api.post(BASE, ALICE, **KEY, **{"X-Request-Id": "one"})

    assert api.post(BASE, ALICE, **KEY, **{"X-Request-Id": "two"})["X-Request-Id"] == "two"


def test_replay_keeps_the_form_in_which_the_answer_was_asked_for(api: Caller) -> None:
    first = api.post(BASE, ALICE, **KEY, Accept="application/json; indent=4")

    assert first.content.startswith(b"{\n    ")
    assert_replay(api.post(BASE, ALICE, **KEY), first)


def test_withdrawal_is_replayed(api: Caller, partner: Partner, rows: Rows) -> None:
    address = path(casework.submit(None, partner=partner).reference, "withdraw/")
    first = api.post(address, **KEY)
    before = rows()

    assert first.status_code == 200
    assert_replay(api.post(address, **KEY), first)
    assert rows() == before


def test_decision_is_replayed_and_is_one_decision(
    as_staff: AsStaff, manager: User, partner: Partner
) -> None:
    address = path(casework.waiting_for_manager(None, partner=partner).reference, "decision/")
    first = as_staff(manager).post(address, APPROVED, **KEY)

    assert first.status_code == 200
    assert_replay(as_staff(manager).post(address, APPROVED, **KEY), first)
    assert_problem(as_staff(manager).post(address, APPROVED), 409, "already-decided")
    assert ReviewDecision.objects.count() == 1


def test_post_without_a_key_is_done_each_time_and_not_kept(api: Caller, rows: Rows) -> None:
    for _ in range(2):
        assert "Idempotent-Replayed" not in api.submit()
    assert rows() == (2, 4, 2)
    assert kept() == 0


def test_key_means_nothing_to_a_read(api: Caller) -> None:
    reference = api.post(BASE, ALICE, **KEY).json()["reference"]

    for _ in range(2):
        response = api.get(path(reference), **KEY)
        assert response.status_code == 200
        assert "Idempotent-Replayed" not in response
    assert kept() == 1


def test_key_of_a_day_ago_is_a_new_one(api: Caller, rows: Rows) -> None:
    first = api.post(BASE, ALICE, **KEY)
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=24))

    second = api.post(BASE, ALICE, **KEY)

    assert second.status_code == 201
    assert second.json()["reference"] != first.json()["reference"]
    assert rows() == (2, 4, 2)
    assert_replay(api.post(BASE, ALICE, **KEY), second)


def test_new_endpoint_is_done_once_without_asking_for_it(partner: Partner) -> None:
    done: list[str] = []

    class Fresh(ApiView):
        permission_classes = []

        def post(self, request: Request, name: str) -> Response:
            done.append(name)
            return Response({"said": request.data["said"]}, status=202, headers={"ETag": '"1"'})

    def call() -> Any:
        request = APIRequestFactory().post("/fresh/", {"said": "hi"}, format="json", headers=KEY)
        force_authenticate(request, user=object(), token=PartnerKey(partner=partner))
        return Fresh.as_view()(request, name="x")

    first, second = call(), call()

    assert (first.status_code, first.content, first["ETag"]) == (202, b'{"said":"hi"}', '"1"')
    assert_replay(second, first)
    assert done == ["x"]


# --- Something else under the same key -------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({**ALICE, "loan_amount": "150000.01"}).encode(),
        json.dumps(ALICE, indent=1).encode(),
        b"{",
        b"",
    ],
)
def test_other_body_is_422_and_nothing_is_stored(api: Caller, rows: Rows, body: bytes) -> None:
    first = api.post(BASE, ALICE, **KEY)

    problem = assert_problem(api.post(BASE, body, **KEY), 422, "idempotency-key-reused")

    assert f"POST {BASE}" in problem["detail"]
    assert rows() == (1, 2, 1)
    assert_replay(api.post(BASE, ALICE, **KEY), first)


def test_other_address_is_422_and_nothing_happens(api: Caller, partner: Partner) -> None:
    one, two = (casework.submit(None, partner=partner) for _ in range(2))
    api.post(path(one.reference, "withdraw/"), {}, **KEY)

    response = api.post(path(two.reference, "withdraw/"), {}, **KEY)

    assert_problem(response, 422, "idempotency-key-reused")
    two.refresh_from_db()
    assert two.status == "submitted"


# --- Whose key it is ------------------------------------------------------------------------


def test_two_partners_may_use_the_same_key(
    api: Caller, other_api: Caller, partner: Partner, other_partner: Partner
) -> None:
    mine = api.post(BASE, ALICE, **KEY)
    theirs = other_api.post(BASE, ALICE, **KEY)

    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert "Idempotent-Replayed" not in theirs
    for one, answer in ((partner, mine), (other_partner, theirs)):
        assert LoanApplication.objects.get(partner=one).reference == answer.json()["reference"]
    assert_replay(api.post(BASE, ALICE, **KEY), mine)
    assert_replay(other_api.post(BASE, ALICE, **KEY), theirs)


def test_key_of_another_partner_tells_nothing(api: Caller, other_api: Caller) -> None:
    reference = api.post(BASE, ALICE, **KEY).json()["reference"]
    api.post(path(reference, "withdraw/"), {}, **{"Idempotency-Key": "w"})

    response = other_api.post(path(reference, "withdraw/"), {}, **{"Idempotency-Key": "w"})

    assert_problem(response, 404, "not-found")


def test_partner_and_staff_of_the_same_number_are_two_callers(
    as_staff: AsStaff, make_user: Any, api: Caller, partner: Partner
) -> None:
    address = path(casework.waiting_for_manager(None, partner=partner).reference, "decision/")
    api.post(BASE, ALICE, **KEY)
    IdempotencyKey.objects.update(caller=f"partner/{(user := make_user('boss')).pk}")
    user.is_superuser = True
    user.save()

    response = as_staff(user).post(address, APPROVED, **KEY)

    assert response.status_code == 200
    assert "Idempotent-Replayed" not in response


def test_partner_that_changed_its_bearer_key_gets_the_replay(api: Caller, partner: Partner) -> None:
    first = api.post(BASE, ALICE, **KEY)
    rotated = Caller(keys.partner_key_issue(partner=partner)[1])

    assert_replay(rotated.post(BASE, ALICE, **KEY), first)


def test_replay_needs_the_scope_as_the_first_did(
    api: Caller, api_with: Callable[..., Caller]
) -> None:
    api.post(BASE, ALICE, **KEY)

    response = api_with("applications:read").post(BASE, ALICE, **KEY)

    assert_problem(response, 403, "missing-scope")


def test_replay_needs_the_role_as_the_first_did(
    as_staff: AsStaff, manager: User, partner: Partner
) -> None:
    address = path(casework.waiting_for_manager(None, partner=partner).reference, "decision/")
    as_staff(manager).post(address, APPROVED, **KEY)
    manager.groups.clear()

    response = as_staff(manager).post(address, APPROVED, **KEY)

    assert_problem(response, 403, "not-permitted")


def test_replay_needs_a_live_bearer_key(api: Caller) -> None:
    api.post(BASE, ALICE, **KEY)
    PartnerKey.objects.update(revoked_at=timezone.now())

    assert_problem(api.post(BASE, ALICE, **KEY), 401, "invalid-key")


def test_session_with_the_csrf_token_may_use_a_key(manager: User, partner: Partner) -> None:
    address = path(casework.waiting_for_manager(None, partner=partner).reference, "decision/")
    client = Client(enforce_csrf_checks=True)
    client.force_login(manager)
    client.cookies["csrftoken"] = "a" * 32
    first, second = (
        Caller(client=client).post(address, APPROVED, **KEY, **{"X-CSRFToken": "a" * 32})
        for _ in range(2)
    )

    assert first.status_code == 200
    assert_replay(second, first)


# --- Keys that are none ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "key", ["", " ", "\t", "k" * 256, "ключ", "clé", "a\tb", "a\x00b", "a\x7fb", "\xa0k"]
)
def test_key_that_cannot_be_one_is_refused_by_name(api: Caller, rows: Rows, key: str) -> None:
    response = api.post(BASE, ALICE, **{"Idempotency-Key": key})

    problem = assert_problem(response, 400, "idempotency-key-invalid")
    assert list(problem["errors"]) == ["Idempotency-Key"]
    assert "255 printable ASCII" in problem["errors"]["Idempotency-Key"][0]
    assert rows() == (0, 0, 0)
    assert kept() == 0


@pytest.mark.parametrize("key", ["k", "k" * 255, '"quoted, and spaced"', "~!@#$%^&*()"])
def test_any_printable_key_up_to_255_signs_is_one(api: Caller, key: str) -> None:
    first = api.post(BASE, ALICE, **{"Idempotency-Key": key})

    assert first.status_code == 201
    assert_replay(api.post(BASE, ALICE, **{"Idempotency-Key": f" {key}\t"}), first)
    assert IdempotencyKey.objects.get().key == key


# --- What is refused keeps no key -----------------------------------------------------------


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
    failing = Victim(intake.application_submit, 1, RuntimeError("secret"))
    monkeypatch.setattr(intake, "application_submit", failing)

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
    service = Victim(intake.application_submit, 1, error)
    monkeypatch.setattr(intake, "application_submit", service)

    first = api.post(BASE, ALICE, **KEY)

    assert first.status_code == 201
    assert_replay(api.post(BASE, ALICE, **KEY), first)
    assert service.calls == 2
    assert rows() == (1, 2, 1)


@pytest.mark.parametrize("error", CONFLICTS.values(), ids=CONFLICTS.keys())
def test_post_that_loses_twice_is_a_conflict_and_its_key_may_be_tried_again(
    api: Caller, rows: Rows, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    service = Victim(intake.application_submit, 2, error)
    monkeypatch.setattr(intake, "application_submit", service)

    assert_problem(api.post(BASE, ALICE, **KEY), 409, "try-again")
    assert rows() == (0, 0, 0)
    assert kept() == 0
    assert api.post(BASE, ALICE, **KEY).status_code == 201


def test_read_that_loses_after_the_write_takes_the_write_back(
    api: Caller, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    from applications.api import views  # noqa: PLC0415

    read = Victim(views.selectors.application_get, 1, CONFLICTS["words of SQLite"])
    monkeypatch.setattr(views.selectors, "application_get", read)

    assert api.submit().status_code == 201
    assert read.calls == 2
    assert rows() == (1, 2, 1)


# --- Still in flight ------------------------------------------------------------------------


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


# --- The body, and the document -------------------------------------------------------------


def test_body_that_ends_too_early_is_malformed() -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError(f"the client went away before it sent {size} bytes")

    environ = APIRequestFactory().post(BASE).environ
    request = Request(WSGIRequest({**environ, "CONTENT_LENGTH": "5", "wsgi.input": Broken()}))

    with pytest.raises(Malformed, match="before it was complete"):
        raw_body(request)


def test_document_promises_it_of_every_post() -> None:
    posts = [
        methods["post"] for methods in contract.document()["paths"].values() if "post" in methods
    ]

    assert len(posts) >= 3
    for operation in posts:
        header = next(p for p in operation["parameters"] if p["name"] == "Idempotency-Key")
        assert (header["in"], header["schema"]["maxLength"]) == ("header", 255)
        assert not header.get("required", False)
        answers = operation["responses"]
        assert any(
            "Idempotent-Replayed" in answers.get(s, {})["headers"]
            for s in ("200", "201", "202")
            if s in answers
        )
        for status, code in (
            ("400", "idempotency-key-invalid"),
            ("409", "idempotency-key-in-flight"),
            ("422", "idempotency-key-reused"),
        ):
            content = answers[status]["content"]["application/problem+json"]
            types = {example["value"]["type"] for example in content["examples"].values()}
            assert f"/problems/{code}" in types
