"""The door: who is let in, what may be said, and what is written down of it."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from applications.models import ApplicationEvent, LoanApplication
from audit.models import AuditEntry
from tests import casework
from tests.hard_cases.stored import everything_stored
from tests.workflows.callbacks.conftest import path_of, wait_for_vendor
from tests.workflows.callbacks.vendor import (
    FLAGGED,
    HEARTBEAT,
    KEY,
    OLD_KEY,
    OLD_SECRET,
    PASSED,
    SECRET,
    headers,
    new_id,
    send,
)
from tests.workflows.lambda_stub import LambdaStub, lambda_stub
from workflows import engine, executions
from workflows.callbacks.fraud_vendor import callback_requests_forget
from workflows.callbacks.tokens import callback_url_issue
from workflows.models import (
    CallbackRequest,
    CallbackToken,
    Incident,
    OutboxMessage,
    PendingCallback,
)
from workflows.sweep import sweep

pytestmark = pytest.mark.django_db

FAILURE = {"type": "failure", "message": "Our list provider is down."}
BAD = {"type": "answer", "verdict": "perhaps"}


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LambdaStub]:
    with lambda_stub(monkeypatch) as running:
        yield running


def problem(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """The problem that this answer is."""
    assert (response.status_code, response["Content-Type"]) == (
        status,
        "application/problem+json",
    ), response.content
    found: dict[str, Any] = response.json()
    assert found["type"] == f"/problems/{code}"
    assert found["status"] == status
    assert found["request_id"] == response["X-Request-Id"]
    assert response["Cache-Control"] == "no-store"
    return found


def accepted(response: HttpResponse) -> None:
    assert (response.status_code, response.content) == (202, b'{"status":"accepted"}')


def events(kind: str) -> list[str]:
    return list(ApplicationEvent.objects.filter(kind=kind).values_list("message", flat=True))


# --- Answers ------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [PASSED, FLAGGED], ids=["passed", "flagged"])
def test_answer_is_written_down_with_the_message_that_delivers_it(
    path: str, asked: LoanApplication, said: dict[str, str]
) -> None:
    accepted(send(path, said))

    callback = PendingCallback.objects.get()
    assert (callback.status, callback.answer) == ("answered", {"result": said["verdict"]})
    message = OutboxMessage.objects.get(kind="answer_callback")
    assert (message.callback, message.payload) == (callback, {"result": said["verdict"]})
    event = ApplicationEvent.objects.get(kind="fraud_answered")
    assert event.message == f"The fraud vendor answered: {said['verdict']}."
    assert (event.is_internal, event.data["who"]) == (True, "fraud vendor")
    entry = AuditEntry.objects.get(reference=asked.reference, who="fraud vendor")
    assert (entry.action, entry.message) == ("decided", event.message)
    assert not Incident.objects.exists()


def test_score_and_reasons_are_for_staff_and_do_not_travel_through_the_engine(path: str) -> None:
    accepted(send(path, {**FLAGGED, "score": 871, "reasons": ["Two addresses", "New account"]}))

    event = ApplicationEvent.objects.get(kind="fraud_answered")
    assert event.message == (
        "The fraud vendor answered: flagged. Score: 871. Reasons: Two addresses; New account."
    )
    assert event.level == "warning"
    assert event.data["reasons"] == ["Two addresses", "New account"]
    assert OutboxMessage.objects.get(kind="answer_callback").payload == {"result": "flagged"}


@pytest.mark.parametrize("said", [PASSED, FAILURE], ids=["answer", "failure"])
def test_same_request_again_is_answered_alike_and_does_nothing(
    path: str, said: dict[str, Any]
) -> None:
    identifier = new_id()
    accepted(send(path, said, identifier=identifier))
    before = everything_stored()

    for _ in range(3):
        accepted(send(path, said, identifier=identifier, at=time.time() - 60))

    assert everything_stored() == before


def test_same_verdict_under_another_identifier_is_accepted_and_counts_once(path: str) -> None:
    accepted(send(path, PASSED))

    accepted(send(path, {**PASSED, "score": 3}))

    assert OutboxMessage.objects.filter(kind="answer_callback").count() == 1
    assert len(events("fraud_answered")) == 1
    assert not Incident.objects.exists()


def test_same_identifier_with_another_body_is_refused_and_nothing_written(path: str) -> None:
    identifier = new_id()
    accepted(send(path, PASSED, identifier=identifier))
    before = everything_stored()

    for said in (FLAGGED, HEARTBEAT, FAILURE, {**PASSED, "score": 1}):
        problem(send(path, said, identifier=identifier), 422, "webhook-id-reused")

    assert everything_stored() == before


def test_request_replayed_to_another_callback_is_refused(
    path: str, officer: Any, asked: LoanApplication
) -> None:
    other = casework.submit(officer)
    casework.assess(other)
    elsewhere = wait_for_vendor(other, "G")
    identifier = new_id()
    accepted(send(path, PASSED, identifier=identifier))

    problem(send(elsewhere, PASSED, identifier=identifier), 422, "webhook-id-reused")

    assert PendingCallback.objects.get(callback_id="G").status == "open"


def test_contradiction_is_refused_kept_and_an_incident(path: str) -> None:
    accepted(send(path, FLAGGED))
    identifier = new_id()

    for _ in range(2):  # the second is the same request again
        problem(send(path, PASSED, identifier=identifier), 409, "answer-contradicts")

    assert PendingCallback.objects.get().answer == {"result": "flagged"}
    incident = Incident.objects.get()
    assert incident.kind == "contradiction"
    assert incident.sentence == (
        "fraud_check-1 was answered twice and differently: first {'result': 'flagged'}, then "
        "{'result': 'passed'}. The first answer stands."
    )
    assert events("fraud_answered") == [
        "The fraud vendor answered: flagged.",
        "The fraud vendor answered: passed. It had said otherwise before; the first answer stands.",
    ]
    assert AuditEntry.objects.filter(who="fraud vendor").count() == 2


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_answer_after_the_end_is_gone_noted_once_and_not_applied(
    path: str, asked: LoanApplication, status: str
) -> None:
    PendingCallback.objects.update(status=status)
    identifier = new_id()

    for _ in range(2):
        problem(send(path, FLAGGED, identifier=identifier), 410, "callback-closed")

    assert events("late_answer") == [
        "An answer to fraud_check-1 came too late and was not applied."
    ]
    entry = AuditEntry.objects.get(who="fraud vendor")
    assert entry.message == (
        "The fraud vendor answered: flagged. Nobody waited for it any more; it was not applied."
    )
    callback = PendingCallback.objects.get()
    assert (callback.status, callback.answer) == (status, None)
    assert not OutboxMessage.objects.filter(kind="answer_callback").exists()


def test_withdrawn_case_is_no_longer_answered(path: str, asked: LoanApplication) -> None:
    asked.refresh_from_db()
    executions.execution_stop(application=asked)

    problem(send(path, PASSED), 410, "callback-closed")


# --- Heartbeats and failures ----------------------------------------------------------------


def test_heartbeat_is_handed_to_the_engine_once(path: str, stub: LambdaStub) -> None:
    identifier = new_id()

    for _ in range(2):
        accepted(send(path, HEARTBEAT, identifier=identifier))
    accepted(send(path, HEARTBEAT))

    assert [request[0] for request in stub.requests] == [
        "/2025-12-01/durable-execution-callbacks/F/heartbeat"
    ] * 2
    assert PendingCallback.objects.get().status == "open"


@pytest.mark.parametrize("status", ["answered", "delivered", "expired", "cancelled"])
def test_heartbeat_after_the_end_is_gone_and_not_handed_on(
    path: str, stub: LambdaStub, status: str
) -> None:
    PendingCallback.objects.update(status=status, answer={"result": "passed"})

    problem(send(path, HEARTBEAT), 410, "callback-closed")

    assert stub.requests == []


def test_heartbeat_that_the_engine_does_not_want_is_gone(path: str, stub: LambdaStub) -> None:
    stub.answers.append((400, "CallbackTimeoutException"))

    problem(send(path, HEARTBEAT), 410, "callback-closed")


def test_heartbeat_while_the_engine_is_away_can_be_sent_again(path: str, stub: LambdaStub) -> None:
    identifier = new_id()
    stub.answers.append((503, "ServiceException"))

    response = send(path, HEARTBEAT, identifier=identifier)

    problem(response, 503, "try-later")
    assert response["Retry-After"] == "5"
    assert not CallbackRequest.objects.exists()
    accepted(send(path, HEARTBEAT, identifier=identifier))


def test_heartbeat_does_not_wait_for_an_engine_that_was_just_out_of_reach(
    path: str, stub: LambdaStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine._circuit, "failed_at", time.monotonic())

    problem(send(path, HEARTBEAT), 503, "try-later")

    assert stub.requests == []


def test_failure_is_noted_and_the_vendor_may_still_answer(path: str) -> None:
    accepted(send(path, FAILURE))

    assert events("fraud_vendor_failed") == [
        "The fraud vendor could not check: Our list provider is down. It is asked again when the "
        "wait is over."
    ]
    assert PendingCallback.objects.get().status == "open"
    accepted(send(path, PASSED))
    assert PendingCallback.objects.get().status == "answered"


def test_failure_after_the_end_is_gone_and_noted(path: str) -> None:
    PendingCallback.objects.update(status="expired")

    problem(send(path, FAILURE), 410, "callback-closed")

    assert len(events("fraud_vendor_failed")) == 1


# --- Who is let in ------------------------------------------------------------------------


def test_unknown_and_malformed_tokens_are_answered_in_the_same_words_whoever_signs(
    path: str,
) -> None:
    token = path.split("/")[2]
    other = token[:-1] + ("A" if token[-1] != "A" else "B")
    paths = [
        f"/callbacks/{other}/",
        f"/callbacks/{token}x/",
        f"/callbacks/{token}",  # no slash at the end
        f"/callbacks/{token}/more/",
        f"/callbacks/{token.upper()}/",
        "/callbacks/F/",  # the engine's own name of it
        "/callbacks/%00/",
        "/callbacks/%F0%9F%8E%89/",
        "/callbacks/",
        f"/callbacks/{'x' * 3000}/",
    ]
    found = []
    for each in paths:
        for key in (KEY, OLD_KEY):
            said = problem(send(each, PASSED, key=key), 404, "not-found")
            found.append({**said, "instance": "", "request_id": ""})

    assert [said for said in found if said != found[0]] == []
    assert PendingCallback.objects.get().status == "open"


@pytest.mark.parametrize("seconds", [-310, 310])
def test_request_outside_of_the_window_is_refused(path: str, seconds: int) -> None:
    response = send(path, PASSED, at=time.time() + seconds)

    said = problem(response, 401, "signature-refused")
    assert "five minutes" in said["detail"]
    assert response["WWW-Authenticate"]
    assert not CallbackRequest.objects.exists()
    assert PendingCallback.objects.get().status == "open"


def test_request_that_somebody_else_signed_is_refused(path: str) -> None:
    problem(send(path, PASSED, key=OLD_KEY), 401, "signature-refused")

    assert PendingCallback.objects.get().status == "open"


def test_request_that_nobody_signed_is_refused(path: str) -> None:
    response = Client().post(path, PASSED, content_type="application/json")

    problem(response, 401, "signature-refused")


def test_signature_of_another_body_is_refused(path: str) -> None:
    body = b'{"type": "answer", "verdict": "flagged"}'
    response = Client().generic(
        "POST",
        path,
        b'{"type": "answer", "verdict": "passed"}',
        content_type="application/json",
        headers=headers(body),
    )

    problem(response, 401, "signature-refused")


def test_without_a_secret_nobody_is_let_in(path: str, settings: Any) -> None:
    settings.LOANOFFICE_FRAUD_VENDOR_SECRETS = []

    problem(send(path, PASSED), 404, "not-found")

    assert PendingCallback.objects.get().status == "open"


def test_secret_is_rotated_while_the_vendor_works(asked: LoanApplication, settings: Any) -> None:
    settings.LOANOFFICE_FRAUD_VENDOR_SECRETS = [OLD_SECRET]
    CallbackToken.objects.all().delete()
    before = path_of("F")
    settings.LOANOFFICE_FRAUD_VENDOR_SECRETS = [SECRET, OLD_SECRET]

    assert path_of("F") == before
    problem(send(before, BAD, key=KEY), 400, "invalid-request")
    accepted(send(before, PASSED, key=OLD_KEY))
    settings.LOANOFFICE_FRAUD_VENDOR_SECRETS = [SECRET]

    problem(send(before, PASSED, key=OLD_KEY), 401, "signature-refused")
    accepted(send(before, PASSED, key=KEY))


def test_secret_replaced_at_once_leaves_the_old_address_and_makes_a_new_one(
    asked: LoanApplication, settings: Any
) -> None:
    before = path_of("F")
    settings.LOANOFFICE_FRAUD_VENDOR_SECRETS = [OLD_SECRET]

    after = path_of("F")

    assert after != before
    problem(send(before, BAD, key=OLD_KEY), 400, "invalid-request")
    accepted(send(after, PASSED, key=OLD_KEY))


def test_csrf_and_sessions_play_no_part(path: str) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)

    response = send(path, PASSED, client=client)

    accepted(response)
    assert not response.cookies
    assert "Cookie" not in response.get("Vary", "")


def test_whatever_the_vendor_accepts_it_is_answered_in_json(path: str) -> None:
    body = b'{"type": "answer", "verdict": "passed"}'
    response = Client().generic(
        "POST",
        path,
        body,
        content_type="application/json; charset=UTF-8",
        headers={**headers(body), "Accept": "text/html"},
    )

    accepted(response)


# --- What may be said ---------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_refused_with_what_is_allowed(path: str, method: str) -> None:
    response = Client().generic(method, path)

    assert (response.status_code, response["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", ""],
)
def test_other_media_types_are_refused(path: str, content_type: str) -> None:
    problem(send(path, PASSED, content_type=content_type), 415, "unsupported-media-type")


def test_body_over_64_kilobytes_is_refused_and_one_of_64_is_read(path: str) -> None:
    padding = 64 * 1024 - len(b'{"type": "heartbeat"}')
    largest = b'{"type": "answer", "verdict": "passed"}'.ljust(64 * 1024)

    said = problem(send(path, largest + b" "), 413, "body-too-large")

    assert "64 KB" in said["detail"]
    problem(send(path, b'{"type": "heartbeat"}' + b" " * (padding + 1)), 413, "body-too-large")
    accepted(send(path, largest))


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b'{"type": "answer", "verdict": "passed", "verdict": "flagged"}',
        b'{"type": "answer", "verdict": "passed", "score": NaN}',
        b'{"type": "answer"}{"verdict": "passed"}',
    ],
)
def test_body_that_cannot_be_read_one_way_only_is_refused(path: str, body: bytes) -> None:
    problem(send(path, body), 400, "malformed-json")

    assert PendingCallback.objects.get().status == "open"


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "type"),
        ({"type": "verdict"}, "type"),
        ({"type": ["answer"]}, "type"),
        ({"type": "answer"}, "verdict"),
        ({"type": "answer", "verdict": "PASSED"}, "verdict"),
        ({"type": "answer", "verdict": None}, "verdict"),
        ({"type": "answer", "verdict": True}, "verdict"),
        ({**PASSED, "result": "passed"}, "result"),
        ({**PASSED, "message": "x"}, "message"),
        ({**PASSED, "score": 1.5}, "score"),
        ({**PASSED, "score": "1"}, "score"),
        ({**PASSED, "score": True}, "score"),
        ({**PASSED, "score": -1}, "score"),
        ({**PASSED, "score": 1001}, "score"),
        ({**PASSED, "reasons": "x"}, "reasons"),
        ({**PASSED, "reasons": ["x"] * 21}, "reasons"),
        ({**PASSED, "reasons": ["a\0b"]}, "reasons"),
        ({**HEARTBEAT, "verdict": "passed"}, "verdict"),
        ({"type": "failure"}, "message"),
        ({"type": "failure", "message": "x" * 501}, "message"),
    ],
)
def test_body_in_another_shape_is_refused_by_field_and_nothing_is_written(
    path: str, said: dict[str, Any], field: str
) -> None:
    before = everything_stored()

    found = problem(send(path, said), 400, "invalid-request")

    assert list(found["errors"]) == [field]
    assert everything_stored() == before


def test_reason_that_is_no_text_is_refused(path: str) -> None:
    found = problem(send(path, {**PASSED, "reasons": ["x", 7]}), 400, "invalid-request")

    assert "reasons" in next(iter(found["errors"]))


def test_identifier_of_a_refused_request_can_be_used_again(path: str) -> None:
    identifier = new_id()
    problem(send(path, BAD, identifier=identifier), 400, "invalid-request")

    accepted(send(path, PASSED, identifier=identifier))


# --- What is kept -------------------------------------------------------------------------


def test_only_a_hash_of_the_token_is_kept(path: str) -> None:
    token = path.split("/")[2]

    assert len(token) == 43
    stored = everything_stored()
    assert token not in str(stored)
    assert CallbackToken.objects.get().token_hash in str(stored)


def test_address_is_the_same_when_the_vendor_is_asked_again(path: str) -> None:
    assert path_of("F") == path
    assert CallbackToken.objects.count() == 1


def test_closed_callback_gets_no_address(asked: LoanApplication) -> None:
    PendingCallback.objects.update(status="expired")

    assert callback_url_issue(callback_id="F") is None


def test_sweep_forgets_requests_whose_signatures_count_no_more(path: str) -> None:
    accepted(send(path, PASSED))
    accepted(send(path, PASSED))
    first, second = CallbackRequest.objects.order_by("pk")
    now = timezone.now()
    CallbackRequest.objects.filter(pk=first.pk).update(received_at=now - timedelta(minutes=61))
    CallbackRequest.objects.filter(pk=second.pk).update(received_at=now - timedelta(minutes=11))

    sweep()

    assert list(CallbackRequest.objects.all()) == [second]


def test_requests_are_forgotten_a_few_at_a_time(path: str) -> None:
    for _ in range(3):
        accepted(send(path, PASSED))
    later = timezone.now() + timedelta(hours=2)

    assert callback_requests_forget(now=later, limit=2) == 2
    assert callback_requests_forget(now=later, limit=2) == 1
    assert callback_requests_forget(now=later, limit=2) == 0


def test_answer_takes_a_bounded_number_of_queries(
    path: str, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(20):
        accepted(send(path, PASSED))
