"""Reconcile answers of callbacks with a real engine on loopback."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from lending.choices import Outcome
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions
from tests.casework import waiting_for_manager
from tests.waiting import eventually
from tests.workflows.reconcile.comparing import found, mended, run
from tests.workflows.reconcile.engine import SHORT, Carry, callback_of, carry, endpoint
from workflows import engine
from workflows.models import Incident, OutboxMessage, PendingCallback
from workflows.outbox import queue

__all__ = ["carry", "endpoint"]
pytestmark = pytest.mark.django_db


def test_answer_that_arrived_without_being_noted_is_delivered(
    officer: User, manager: User, carry: Carry
) -> None:
    application = waiting_for_manager(officer)
    carry(application, do="wait", stay=True)
    callback = callback_of(application)
    decisions.task_decide(task=ReviewTask.objects.get(), user=manager, outcome=Outcome.APPROVE)
    engine.callback_success(callback_id=callback.callback_id, result={"outcome": "approve"})
    mended("delivered, not noted")
    callback.refresh_from_db()
    assert callback.status == "delivered"
    assert OutboxMessage.objects.get(kind="answer_callback").status == "sent"


def test_answer_that_never_arrived_leaves_again(officer: User, manager: User, carry: Carry) -> None:
    application = waiting_for_manager(officer)
    carry(application, do="wait", stay=True)
    callback_of(application)
    decisions.task_decide(task=ReviewTask.objects.get(), user=manager, outcome=Outcome.APPROVE)
    OutboxMessage.objects.filter(kind="answer_callback").update(status="sent")
    assert found(run()) == ["answer did not arrive"]
    queue.send_due()
    assert PendingCallback.objects.get().status == "delivered"
    assert found(run()) == []


def test_callback_that_the_engine_closed_before_the_answer_makes_the_decision_late(
    officer: User, manager: User, carry: Carry
) -> None:
    application = waiting_for_manager(officer)
    arn = carry(application, do="wait", stay=True, seconds=SHORT)
    callback_of(application)
    eventually(lambda: any(e["EventType"] == "CallbackTimedOut" for e in engine.history(arn=arn)))
    decisions.task_decide(task=ReviewTask.objects.get(), user=manager, outcome=Outcome.APPROVE)
    mended("closed before the answer")
    assert (ReviewTask.objects.get().status, ReviewDecision.objects.get().late) == ("expired", True)
    assert PendingCallback.objects.get().status == "expired"
    assert Incident.objects.get().kind == "decision_late"


def test_callback_that_the_engine_closed_is_closed_with_its_task(
    officer: User, carry: Carry
) -> None:
    application = waiting_for_manager(officer)
    arn = carry(application, do="wait", stay=True, seconds=SHORT)
    callback_of(application)
    eventually(lambda: any(e["EventType"] == "CallbackTimedOut" for e in engine.history(arn=arn)))
    PendingCallback.objects.update(expires_at=timezone.now())
    mended("closed, not noted")
    assert (ReviewTask.objects.get().status, PendingCallback.objects.get().status) == (
        "expired",
        "expired",
    )


def test_answer_past_this_office_is_an_incident(officer: User, carry: Carry) -> None:
    application = waiting_for_manager(officer)
    carry(application, do="wait", stay=True)
    callback = callback_of(application)
    engine.callback_success(callback_id=callback.callback_id, result={"outcome": "approve"})
    PendingCallback.objects.update(expires_at=timezone.now())
    for _ in range(2):
        assert found(run()) == ["answered elsewhere"]
    assert Incident.objects.get().kind == "engine_disagrees"
    assert not ReviewDecision.objects.exists()
