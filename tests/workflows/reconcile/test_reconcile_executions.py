"""Reconcile starts, ends, stops and pauses of executions, on a real engine on loopback."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from applications.models import LoanApplication
from applications.services import intake
from applications.services.attempts import Attempt
from lending.choices import Outcome
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions
from tests.casework import submit, waiting_for_manager
from tests.waiting import eventually
from tests.workflows.reconcile.comparing import found, mended, run, state, under_review
from tests.workflows.reconcile.engine import Carry, carry, endpoint
from workflows import engine, executions
from workflows.models import (
    Execution,
    Incident,
    OutboxMessage,
    PendingCallback,
)
from workflows.operations import execution_pause
from workflows.outbox import queue
from workflows.reconcile import repairs

__all__ = ["carry", "endpoint"]
pytestmark = pytest.mark.django_db


def test_case_that_goes_well_is_left_alone(officer: User, carry: Carry) -> None:
    carry(waiting_for_manager(officer), do="wait")
    before = state()
    assert found(run(lag=timedelta(minutes=10))) == []
    assert state() == before


def test_missed_start_is_noted_with_its_arn(officer: User, carry: Carry) -> None:
    arn = carry(submit(officer), do="wait", noted=False)
    mended("missed start")
    execution = Execution.objects.get()
    assert (execution.status, execution.arn) == ("RUNNING", arn)


def test_failure_that_was_missed_hands_the_case_over_with_the_engines_reason(
    officer: User, carry: Carry
) -> None:
    application = waiting_for_manager(officer)
    carry(application, do="fail", why="the database was down")
    mended("missed end")
    application.refresh_from_db()
    assert (application.status, application.waiting_on) == ("needs_attention", "")
    assert Execution.objects.get().status == "FAILED"
    incident = Incident.objects.get()
    assert incident.kind == "workflow_failed"
    assert "the database was down" in incident.sentence
    assert ReviewTask.objects.get().status == "cancelled"
    assert PendingCallback.objects.get().status == "expired"


def test_end_of_a_closed_case_is_only_noted(officer: User, carry: Carry) -> None:
    application = under_review(officer)
    carry(application, do="return", result={"status": "withdrawn"})
    LoanApplication.objects.update(status="withdrawn")
    mended("missed end")
    execution = Execution.objects.get()
    assert (execution.status, execution.result) == ("SUCCEEDED", {"status": "withdrawn"})
    assert not Incident.objects.exists()


def test_end_that_the_record_never_saw_is_an_incident_and_not_a_funded_case(
    officer: User, carry: Carry
) -> None:
    application = under_review(officer)
    carry(application, do="return", result={"status": "funded"})
    mended("missed end")
    application.refresh_from_db()
    assert application.status == "needs_attention"
    incident = Incident.objects.get()
    assert incident.kind == "engine_disagrees"
    assert "“funded”" in incident.sentence


def timed_out(application: LoanApplication, settings: Any) -> None:
    """An execution that ran out of time, under the case's name."""
    settings.LOAN_APPROVAL_FUNCTION = "short-lived:live"
    name = f"{application.reference}-{application.attempt}"
    payload = {"name": name, "do": "wait", "seconds": 3600}
    arn = engine.start(function="short-lived:live", name=name, payload=payload)
    OutboxMessage.objects.filter(key=f"start/{name}").update(status="sent")
    Execution.objects.filter(name=name).update(arn=arn, status="RUNNING")
    eventually(lambda: engine.get(arn=arn)["Status"] == "TIMED_OUT")


def test_execution_that_ended_before_its_wait_expires_the_case_with_a_notice(
    officer: User, settings: Any
) -> None:
    application = waiting_for_manager(officer)
    ReviewTask.objects.update(expires_at=timezone.now())
    timed_out(application, settings)
    mended("missed end")
    application.refresh_from_db()
    assert (application.status, application.waiting_on) == ("expired", "")
    assert ReviewTask.objects.get().status == "expired"
    assert PendingCallback.objects.get().status == "expired"
    assert Execution.objects.get().status == "TIMED_OUT"
    assert OutboxMessage.objects.filter(key=f"closed/{application.reference}-1").exists()
    assert not Incident.objects.exists()


def test_execution_that_ran_out_of_time_while_a_manager_still_has_some_needs_attention(
    officer: User, settings: Any
) -> None:
    application = waiting_for_manager(officer)
    timed_out(application, settings)
    mended("missed end")
    application.refresh_from_db()
    assert application.status == "needs_attention"
    assert "ran out of time" in Incident.objects.get().sentence


def test_execution_stopped_past_this_office_needs_attention(officer: User, carry: Carry) -> None:
    application = waiting_for_manager(officer)
    engine.stop(arn=carry(application, do="wait"), error_type="Console", message="by hand")
    mended("missed end")
    application.refresh_from_db()
    assert application.status == "needs_attention"
    assert (Execution.objects.get().status, Incident.objects.get().kind) == (
        "STOPPED",
        "engine_disagrees",
    )


def test_stop_that_did_not_take_is_sent_again(officer: User, carry: Carry) -> None:
    application = waiting_for_manager(officer)
    arn = carry(application, do="wait")
    intake.application_withdraw(reference=application.reference, user=officer)
    OutboxMessage.objects.filter(kind="stop_execution").update(status="sent")
    Execution.objects.update(status="STOPPED", ended_at=timezone.now() - timedelta(hours=1))
    assert found(run(dry_run=True)) == ["stop did not take"]
    assert found(run()) == ["stop did not take"]
    queue.send_due()
    assert engine.get(arn=arn)["Status"] == "STOPPED"
    assert found(run()) == []


def test_stop_finds_an_execution_whose_start_was_tried_and_never_heard_of(
    officer: User, carry: Carry
) -> None:
    application = submit(officer)
    arn = carry(application, do="wait", noted=False)
    # The engine took it and died before it answered; the withdrawal came before the next try.
    OutboxMessage.objects.filter(kind="start_execution").update(status="pending", attempts=1)
    intake.application_withdraw(reference=application.reference, user=officer)
    OutboxMessage.objects.filter(kind="start_execution").update(
        due_at=timezone.now() + timedelta(hours=1)
    )
    queue.send_due()
    assert engine.get(arn=arn)["Status"] == "STOPPED"
    execution = Execution.objects.get()
    assert (execution.status, execution.arn) == ("STOPPED", arn)
    assert OutboxMessage.objects.get(kind="start_execution").status == "cancelled"
    assert found(run()) == []


def test_engine_that_goes_on_after_the_end_is_one_incident(officer: User, carry: Carry) -> None:
    application = under_review(officer)
    carry(application, do="wait")
    LoanApplication.objects.update(status="declined")
    Execution.objects.update(status="SUCCEEDED", ended_at=timezone.now() - timedelta(hours=1))
    for _ in range(2):
        assert found(run()) == ["goes on after its end"]
    assert Incident.objects.get().kind == "engine_disagrees"
    assert found(run(lag=timedelta(hours=2))) == []  # perhaps it is about to end


def test_execution_that_the_engine_lost_hands_the_case_over_and_keeps_the_decision_as_late(
    officer: User, manager: User
) -> None:
    application = waiting_for_manager(officer)
    OutboxMessage.objects.update(status="sent")
    Execution.objects.update(
        arn="arn:aws:lambda:us-west-2:123456789012:function:loan-approval:1/durable-execution/x/y"
    )
    decisions.task_decide(task=ReviewTask.objects.get(), user=manager, outcome=Outcome.APPROVE)
    mended("lost by the engine")
    application.refresh_from_db()
    assert application.status == "needs_attention"
    assert (ReviewTask.objects.get().status, ReviewDecision.objects.get().late) == ("expired", True)
    assert set(Incident.objects.values_list("kind", flat=True)) == {
        "engine_disagrees",
        "decision_late",
    }
    assert OutboxMessage.objects.get(kind="answer_callback").status == "cancelled"


def test_start_that_did_not_arrive_leaves_again(officer: User) -> None:
    submit(officer)
    OutboxMessage.objects.filter(kind="start_execution").update(status="sent")
    assert found(run()) == ["start did not arrive"]
    message = OutboxMessage.objects.get(kind="start_execution")
    assert (message.status, message.attempts) == ("pending", 0)
    assert found(run()) == []  # it is on its way


def test_start_that_is_on_its_way_is_left_alone(officer: User) -> None:
    submit(officer)
    assert found(run()) == []


def test_case_without_an_execution_is_queued(officer: User) -> None:
    submit(officer)
    OutboxMessage.objects.all().delete()
    Execution.objects.all().delete()
    mended("never queued")
    assert OutboxMessage.objects.get().key == f"start/{Execution.objects.get().name}"


def test_case_whose_execution_ended_in_the_middle_is_handed_over(officer: User) -> None:
    application = under_review(officer)
    Execution.objects.update(status="SUCCEEDED", ended_at=timezone.now())
    mended("ended in the middle")
    application.refresh_from_db()
    assert application.status == "needs_attention"
    assert Execution.objects.get().status == "SUCCEEDED"


def test_end_that_differs_follows_the_engine(officer: User, carry: Carry) -> None:
    application = under_review(officer)
    carry(application, do="return", result={"status": "superseded"})
    LoanApplication.objects.update(status="withdrawn")
    Execution.objects.update(status="STOPPED", ended_at=timezone.now())
    mended("end differs")
    assert Execution.objects.get().status == "SUCCEEDED"


def test_pause_made_past_this_office_is_noted(officer: User, carry: Carry) -> None:
    arn = carry(waiting_for_manager(officer), do="wait")
    engine.pause(arn=arn, token="t", reason="by hand")
    mended("pause differs")
    assert Execution.objects.get().paused_at is not None
    engine.resume(arn=arn, token="u")
    mended("pause differs")
    assert Execution.objects.get().paused_at is None


def test_pause_that_is_on_its_way_is_left_alone(
    officer: User, operations: User, carry: Carry
) -> None:
    application = waiting_for_manager(officer)
    carry(application, do="wait")
    execution_pause(reference=application.reference, user=operations, reason="Look.")
    assert found(run()) == []


def test_execution_that_is_not_on_record_is_an_incident_where_there_is_a_case(
    officer: User, carry: Carry
) -> None:
    application = submit(officer)
    OutboxMessage.objects.update(due_at=timezone.now() + timedelta(hours=1))
    for name in (f"{application.reference}-7", "LOAN-ABCDEFGH-1"):
        engine.start(function="loan-approval:live", name=name, payload={"name": name, "do": "wait"})
    assert sorted(found(run())) == ["no such application", "not on record"]
    assert f"{application.reference}-7" in Incident.objects.get().sentence


def test_mend_looks_again_and_leaves_alone_what_was_settled_meanwhile(
    officer: User, carry: Carry
) -> None:
    application = waiting_for_manager(officer)
    carry(application, do="fail", why="x")
    listed = next(engine.executions(name=f"{application.reference}-1"))
    execution = Execution.objects.select_related("application").get()
    intake.application_withdraw(reference=application.reference, user=officer)
    executions.execution_end(Attempt(application.reference, 1), status=Execution.Status.STOPPED)
    repairs.end(listed, engine.get(arn=listed.arn), execution)
    application.refresh_from_db()
    execution.refresh_from_db()
    assert (application.status, execution.status) == ("withdrawn", "STOPPED")
    assert not Incident.objects.exists()
