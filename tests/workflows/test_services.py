"""Callbacks that are answered once, twice, differently or late; restarts."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.checks import Error
from django.utils import timezone

from applications.errors import TransitionRefused
from applications.models import ApplicationEvent, LoanApplication
from core.errors import NotPermitted
from reviews.models import ReviewTask
from tests import casework
from tests.casework import ask_fraud_check, assess, run_of, submit, waiting_for_manager
from workflows import handover, incidents
from workflows.callbacks import pending
from workflows.callbacks.pending import CallbackReceipt
from workflows.checks import timeouts_nest
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback
from workflows.operations import application_restart
from workflows.reconcile import repairs

pytestmark = pytest.mark.django_db
PASSED, FLAGGED = {"result": "passed"}, {"result": "flagged"}


@pytest.fixture
def asked(officer: User) -> LoanApplication:
    """An application that waits for the fraud service under the callback ``F``."""
    application = submit(officer)
    assess(application)
    ask_fraud_check(application, callback_id="F")
    return application


def answers_that_leave() -> int:
    return OutboxMessage.objects.filter(kind="answer_callback").count()


def test_first_answer_counts_and_leaves(asked: LoanApplication) -> None:
    assert pending.callback_receive(callback_id="F", answer=PASSED) == CallbackReceipt.COUNTED
    assert PendingCallback.objects.get().answer == PASSED
    assert answers_that_leave() == 1


def test_same_answer_again_changes_nothing(asked: LoanApplication) -> None:
    pending.callback_receive(callback_id="F", answer=PASSED)
    assert pending.callback_receive(callback_id="F", answer=PASSED) == CallbackReceipt.REPEATED
    assert answers_that_leave() == 1
    assert not Incident.objects.exists()


def test_contradiction_is_one_incident_and_the_first_answer_stands(
    asked: LoanApplication,
) -> None:
    pending.callback_receive(callback_id="F", answer=PASSED)
    for _ in range(2):
        assert (
            pending.callback_receive(callback_id="F", answer=FLAGGED)
            == CallbackReceipt.CONTRADICTED
        )
    assert PendingCallback.objects.get().answer == PASSED
    incident = Incident.objects.get()
    assert (incident.kind, incident.application) == ("contradiction", asked)
    assert answers_that_leave() == 1


def test_late_answer_is_noted_and_not_applied(asked: LoanApplication) -> None:
    pending.fraud_answer_consume(run_of(asked))
    assert pending.callback_receive(callback_id="F", answer=PASSED) == CallbackReceipt.LATE
    assert PendingCallback.objects.get().answer is None
    assert ApplicationEvent.objects.get(kind="late_answer").is_internal
    assert answers_that_leave() == 0


def test_unknown_callback_is_an_error(asked: LoanApplication) -> None:
    with pytest.raises(PendingCallback.DoesNotExist):
        pending.callback_receive(callback_id="G", answer=PASSED)


@pytest.mark.parametrize("closed_first", [False, True])
def test_answer_that_missed_the_engine_is_taken_once_from_the_record(
    asked: LoanApplication, closed_first: bool
) -> None:
    pending.callback_receive(callback_id="F", answer=FLAGGED)
    if closed_first:
        repairs.close_callback(PendingCallback.objects.get())
    for _ in range(2):
        assert pending.fraud_answer_consume(run_of(asked)) == FLAGGED
    assert PendingCallback.objects.get().status == "delivered"


def test_wait_without_an_answer_is_over_when_it_is_taken(asked: LoanApplication) -> None:
    for _ in range(2):
        assert pending.fraud_answer_consume(run_of(asked)) is None
    assert PendingCallback.objects.get().status == "expired"


def test_task_times_out_once_and_only_after_its_time(officer: User) -> None:
    task = waiting_for_manager(officer).review_tasks.get()
    assert pending.task_time_out(task_id=task.pk) is False
    ReviewTask.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert pending.task_time_out(task_id=task.pk) is True
    assert pending.task_time_out(task_id=task.pk) is False
    assert OutboxMessage.objects.get(kind="answer_callback").payload["outcome"] == "expired"


@pytest.mark.usefixtures("decider")
def test_restart_is_for_operations_and_for_cases_that_need_it(
    officer: User, operations: User
) -> None:
    waiting = waiting_for_manager(officer)
    with pytest.raises(NotPermitted):
        application_restart(reference=waiting.reference, user=officer)
    with pytest.raises(TransitionRefused):
        application_restart(reference=waiting.reference, user=operations)
    handover.needs_attention(run_of(waiting), sentence="Stuck.")
    incidents.incident_open(
        kind=Incident.Kind.WORKFLOW_FAILED, key="k", application=waiting, sentence="Stuck."
    )
    restarted = application_restart(reference=waiting.reference, user=operations)
    assert (restarted.status, restarted.attempt, restarted.version) == ("submitted", 2, 2)
    assert Execution.objects.get(attempt=2).name == f"{waiting.reference}-2"
    assert OutboxMessage.objects.filter(kind="start_execution").count() == 2
    assert OutboxMessage.objects.get(kind="stop_execution").execution.attempt == 1
    assert Incident.objects.get().resolved_by == operations
    assert ReviewTask.objects.get().status == "cancelled"


def test_waits_that_do_not_fit_into_an_execution_are_refused_by_a_check() -> None:
    assert timeouts_nest(databases=["default"]) == []
    casework.change_policies(approval_expires=timedelta(days=40))
    found = timeouts_nest(databases=["default"])
    assert [type(message) for message in found] == [Error]
    assert found[0].id == "workflows.E001"
