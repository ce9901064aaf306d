"""The fraud vendor's answer: recorded once, delivered, and never contradicted by a later one."""

import time
from typing import Any

import pytest

from applications.models import ApplicationEvent, LoanApplication
from audit.models import AuditEntry
from tests import casework
from tests.hard_cases.stored import everything_stored
from tests.workflows.callbacks.conftest import wait_for_vendor
from tests.workflows.callbacks.vendor import (
    FAILURE,
    FLAGGED,
    HEARTBEAT,
    PASSED,
    accepted,
    events,
    new_id,
    problem,
    send,
)
from workflows import executions
from workflows.models import Incident, OutboxMessage, PendingCallback

pytestmark = pytest.mark.django_db


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
