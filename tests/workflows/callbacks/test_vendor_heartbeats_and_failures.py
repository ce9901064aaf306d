"""The fraud vendor's heartbeats, handed to the engine, and its failures, recorded."""

import time

import pytest

from tests.workflows.callbacks.vendor import (
    FAILURE,
    HEARTBEAT,
    PASSED,
    accepted,
    events,
    new_id,
    problem,
    send,
)
from tests.workflows.lambda_stub import LambdaStub
from workflows import engine
from workflows.models import CallbackRequest, PendingCallback

pytestmark = pytest.mark.django_db


def test_heartbeat_is_handed_to_the_engine_once(path: str, aws: LambdaStub) -> None:
    identifier = new_id()

    for _ in range(2):
        accepted(send(path, HEARTBEAT, identifier=identifier))
    accepted(send(path, HEARTBEAT))

    assert [request[0] for request in aws.requests] == [
        "/2025-12-01/durable-execution-callbacks/F/heartbeat"
    ] * 2
    assert PendingCallback.objects.get().status == "open"


@pytest.mark.parametrize("status", ["answered", "delivered", "expired", "cancelled"])
def test_heartbeat_after_the_end_is_gone_and_not_handed_on(
    path: str, aws: LambdaStub, status: str
) -> None:
    PendingCallback.objects.update(status=status, answer={"result": "passed"})

    problem(send(path, HEARTBEAT), 410, "callback-closed")

    assert aws.requests == []


def test_heartbeat_that_the_engine_does_not_want_is_gone(path: str, aws: LambdaStub) -> None:
    aws.answers.append((400, "CallbackTimeoutException"))

    problem(send(path, HEARTBEAT), 410, "callback-closed")


def test_heartbeat_while_the_engine_is_away_can_be_sent_again(path: str, aws: LambdaStub) -> None:
    identifier = new_id()
    aws.answers.append((503, "ServiceException"))

    response = send(path, HEARTBEAT, identifier=identifier)

    problem(response, 503, "try-later")
    assert response["Retry-After"] == "5"
    assert not CallbackRequest.objects.exists()
    accepted(send(path, HEARTBEAT, identifier=identifier))


def test_heartbeat_does_not_wait_for_an_engine_that_was_just_out_of_reach(
    path: str, aws: LambdaStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine._circuit, "failed_at", time.monotonic())

    problem(send(path, HEARTBEAT), 503, "try-later")

    assert aws.requests == []


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
