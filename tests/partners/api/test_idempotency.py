"""``Idempotency-Key``: a POST that is sent again is answered again, and not done again."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIRequest
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate

from partners.api.base import ApiView
from partners.api.errors import Malformed
from partners.api.parsers import raw_body
from partners.models import IdempotencyKey, Partner, PartnerKey
from reviews.models import ReviewDecision
from tests import casework
from tests.partners.api import contract
from tests.partners.api.calls import ALICE, BASE, Caller, assert_problem, path
from tests.partners.api.idempotency import APPROVED, KEY, AsStaff, Rows, assert_replay, kept

# --- The same again ------------------------------------------------------------------------


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

    assert len([each for each in first if "_committed" in str(each)]) == 1
    assert second == []


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
    body = {**ALICE, "external_id": ""}
    first = api.post(BASE, body, **KEY)
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=24))

    second = api.post(BASE, body, **KEY)

    assert second.status_code == 201
    assert second.json()["reference"] != first.json()["reference"]
    assert rows() == (2, 4, 2)
    assert_replay(api.post(BASE, body, **KEY), second)


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


# --- Something else under the same key -----------------------------------------------------


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


# --- Keys that are none --------------------------------------------------------------------


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


# --- The body, and the document ------------------------------------------------------------


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
