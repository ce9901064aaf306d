"""Delivery of outgoing messages: once, again after a failure, and never lost silently."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.utils import timezone

from applications.models import LoanApplication
from applications.services import intake
from lending.choices import Outcome
from reviews.services import decisions
from tests.casework import letters_at_once, many_waiting_for_manager, waiting_for_manager
from tests.workflows.lambda_stub import LambdaStub
from workflows import engine, executions
from workflows.callbacks import pending
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback
from workflows.outbox import backoff, queue

pytestmark = pytest.mark.django_db


def only(kind: str) -> OutboxMessage:
    return OutboxMessage.objects.get(kind=kind)


def make_due() -> None:
    OutboxMessage.objects.filter(status="pending").update(
        due_at=timezone.now() - timedelta(seconds=1)
    )


def test_start_is_invoked_by_its_qualified_name_with_no_personal_data(
    aws: LambdaStub, submitted: LoanApplication
) -> None:
    assert queue.send_due() == 1
    path, headers, body = aws.requests[0]
    assert path == "/2015-03-31/functions/loan-approval%3Alive/invocations"
    assert headers["X-Amz-Invocation-Type"] == "Event"
    assert headers["X-Amz-Durable-Execution-Name"] == f"{submitted.reference}-1"
    assert body == {"application": submitted.reference, "attempt": 1, "request_id": ""}
    execution = Execution.objects.get()
    assert (execution.status, execution.arn) == ("RUNNING", f"arn:{submitted.reference}-1")
    assert only("start_execution").status == "sent"
    assert queue.send_due() == 0


def test_commit_sends_at_once_and_a_rollback_sends_nothing(
    aws: LambdaStub, officer: User, django_capture_on_commit_callbacks: object
) -> None:
    draft = intake.application_create(
        user=officer, applicant_name="A", sin_last4="9999", loan_amount=1, annual_income=1
    )
    with django_capture_on_commit_callbacks() as callbacks:
        intake.application_submit(reference=draft.reference, user=officer)
    assert not aws.requests
    for callback in callbacks:
        callback()
    assert [aws.name(0)] == [f"{draft.reference}-1"]


@pytest.mark.parametrize(
    "answer",
    [(503, "ServiceException"), (429, "TooManyRequestsException"), (400, "SomethingOddException")],
)
def test_failure_is_put_off_with_its_reason_and_sent_later(
    aws: LambdaStub, submitted: LoanApplication, answer: tuple[int, str]
) -> None:
    aws.answers.append(answer)
    assert queue.send_due() == 0
    message = only("start_execution")
    assert (message.status, message.attempts, message.leased_until) == ("pending", 1, None)
    assert timezone.now() < message.due_at + timedelta(seconds=1)
    assert answer[1] in message.last_error
    make_due()
    assert queue.send_due() == 1
    assert only("start_execution").status == "sent"


def test_backoff_grows_and_is_bounded() -> None:
    delays = [backoff.backoff(attempt).total_seconds() for attempt in range(1, queue.TRIES)]
    assert 0.5 <= delays[0] <= 1.0
    assert 2.0 <= delays[2] <= 4.0
    assert all(delay <= backoff.LONGEST_DELAY for delay in delays)


def test_last_try_opens_an_incident(aws: LambdaStub, submitted: LoanApplication) -> None:
    OutboxMessage.objects.update(attempts=queue.TRIES - 1)
    aws.answers.append((503, "ServiceException"))
    queue.send_due()
    assert only("start_execution").status == "dead"
    incident = Incident.objects.get()
    assert (incident.kind, incident.application) == ("delivery_failed", submitted)
    assert "Start an execution" in incident.sentence


def test_message_under_lease_is_left_to_its_sender_until_the_lease_ends(
    aws: LambdaStub, submitted: LoanApplication
) -> None:
    OutboxMessage.objects.update(leased_until=timezone.now() + timedelta(seconds=30))
    assert queue.send_due() == 0
    assert not aws.requests
    OutboxMessage.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert queue.send_due() == 1


def test_poison_message_does_not_hold_up_the_others(
    aws: LambdaStub, submitted: LoanApplication, officer: User
) -> None:
    OutboxMessage.objects.update(execution=None)
    other = intake.application_create_and_submit(
        user=officer, applicant_name="B", sin_last4="9999", loan_amount=1, annual_income=1
    )
    assert queue.send_due() == 1
    assert aws.name(0) == f"{other.reference}-1"


def test_answer_is_delivered_and_noted(aws: LambdaStub, officer: User, manager: User) -> None:
    task = waiting_for_manager(officer).review_tasks.get()
    decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    queue.send_due()
    path, _, body = next(r for r in aws.requests if "callbacks" in r[0])
    assert path == f"/2025-12-01/durable-execution-callbacks/callback-{task.pk}/succeed"
    assert body["outcome"] == "approve"
    assert PendingCallback.objects.get().status == "delivered"


@pytest.mark.parametrize(
    "closed", [(400, "CallbackTimeoutException"), (404, "ResourceNotFoundException")]
)
def test_answer_to_a_closed_callback_waits_for_the_workflow_to_say_what_became_of_it(
    aws: LambdaStub, officer: User, manager: User, closed: tuple[int, str]
) -> None:
    application = waiting_for_manager(officer)
    OutboxMessage.objects.all().delete()
    task = application.review_tasks.get()
    decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    aws.answers.append(closed)
    queue.send_due()
    assert only("answer_callback").status == "pending"
    pending.callbacks_settle(executions.Attempt(application.reference, 1))
    aws.answers.append(closed)
    make_due()
    queue.send_due()
    assert only("answer_callback").status == "sent"
    assert PendingCallback.objects.get().status == "delivered"


def test_withdrawal_before_the_start_left_cancels_the_start(
    aws: LambdaStub, submitted: LoanApplication, officer: User
) -> None:
    OutboxMessage.objects.update(due_at=timezone.now() + timedelta(hours=1))
    intake.application_withdraw(reference=submitted.reference, user=officer)
    queue.send_due()
    assert not aws.requests
    assert only("start_execution").status == "cancelled"
    assert Execution.objects.get().status == "STOPPED"


def test_withdrawal_while_the_start_is_on_its_way_stops_it_later(
    aws: LambdaStub, submitted: LoanApplication, officer: User
) -> None:
    OutboxMessage.objects.update(leased_until=timezone.now() + timedelta(hours=1))
    intake.application_withdraw(reference=submitted.reference, user=officer)
    queue.send_due()
    assert only("stop_execution").status == "pending"
    Execution.objects.update(arn="arn:x")
    make_due()
    queue.send_due()
    assert only("stop_execution").status == "sent"
    assert [path for path, _, _ in aws.requests] == ["/2025-12-01/durable-executions/arn%3Ax/stop"]
    assert Execution.objects.get().status == "STOPPED"


def test_deciders_get_a_letter_each_without_personal_data(
    aws: LambdaStub, officer: User, manager: User, senior: User
) -> None:
    letters_at_once()
    application = waiting_for_manager(officer)
    queue.send_due()
    assert sorted(letter.to[0] for letter in mail.outbox) == [manager.email, senior.email]
    letter = mail.outbox[0]
    assert letter.subject == f"Manager approval: {application.reference}"
    assert application.applicant_name not in letter.body
    assert f"/admin/applications/loanapplication/{application.pk}/change/" in letter.body


def test_letter_about_a_task_that_is_settled_is_left_out(
    aws: LambdaStub, officer: User, manager: User
) -> None:
    application = waiting_for_manager(officer)
    intake.application_withdraw(reference=application.reference, user=officer)
    queue.send_due()
    assert not mail.outbox


def test_stop_that_came_after_the_end_keeps_how_it_ended(
    aws: LambdaStub, submitted: LoanApplication, officer: User
) -> None:
    queue.send_due()
    name = f"{submitted.reference}-1"
    aws.ended[f"/2025-12-01/durable-executions/arn%3A{name}"] = "SUCCEEDED"
    intake.application_withdraw(reference=submitted.reference, user=officer)
    queue.send_due()
    assert Execution.objects.get().status == "SUCCEEDED"
    assert only("stop_execution").status == "sent"


# --- Many answers together ------------------------------------------------------------------


def approve_all(cases: list[LoanApplication], user: User) -> None:
    for case in cases:
        decisions.task_decide(task=case.review_tasks.get(), user=user, outcome=Outcome.APPROVE)


@pytest.fixture
def waiting(officer: User) -> list[LoanApplication]:
    """Ten of them; what had to leave before has left."""
    cases = many_waiting_for_manager(officer, 10)
    OutboxMessage.objects.update(status="sent")
    return cases


def test_what_is_held_back_leaves_together_when_it_is_sent(
    aws: LambdaStub,
    waiting: list[LoanApplication],
    manager: User,
    django_capture_on_commit_callbacks: Any,
) -> None:
    with queue.held_back() as keys:
        with django_capture_on_commit_callbacks(execute=True):
            approve_all(waiting, manager)
        assert not aws.requests
        assert len(keys) == 10

    assert queue.send_together(keys, seconds=60) == 10

    assert len(aws.requests) == 10
    answers = OutboxMessage.objects.filter(kind="answer_callback")
    assert set(answers.values_list("status", "attempts")) == {("sent", 1)}
    assert not PendingCallback.objects.exclude(status="delivered").exists()
    assert queue.send_together(keys, seconds=60) == 0


def test_what_is_committed_after_the_holding_back_is_sent_at_once_again(
    aws: LambdaStub,
    waiting: list[LoanApplication],
    manager: User,
    django_capture_on_commit_callbacks: Any,
) -> None:
    kept: list[str] = []

    def dies_in_the_middle() -> None:
        with queue.held_back() as keys, django_capture_on_commit_callbacks(execute=True):
            approve_all(waiting[:1], manager)
        kept.extend(keys)
        with queue.held_back():
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        dies_in_the_middle()
    assert len(kept) == 1

    with django_capture_on_commit_callbacks(execute=True):
        approve_all(waiting[1:2], manager)

    assert len(aws.requests) == 1
    # Nothing is lost: the sweep sends what was held back and not sent.
    assert queue.send_due() == 1
    assert PendingCallback.objects.filter(status="delivered").count() == 2


def test_nothing_is_begun_after_the_time_or_while_the_engine_cannot_be_reached(
    aws: LambdaStub,
    waiting: list[LoanApplication],
    manager: User,
    django_capture_on_commit_callbacks: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        queue.held_back() as keys,
        django_capture_on_commit_callbacks(execute=True),
    ):
        approve_all(waiting, manager)

    assert queue.send_together(keys, seconds=0) == 0
    with monkeypatch.context() as patched:
        patched.setattr(engine, "is_circuit_open", lambda: True)
        assert queue.send_together(keys, seconds=60) == 0
    assert not aws.requests
    answers = OutboxMessage.objects.filter(kind="answer_callback")
    assert set(answers.values_list("status", "attempts")) == {("pending", 0)}


def test_answer_that_is_not_taken_is_put_off_and_the_others_are_delivered(
    aws: LambdaStub,
    waiting: list[LoanApplication],
    manager: User,
    django_capture_on_commit_callbacks: Any,
) -> None:
    with (
        queue.held_back() as keys,
        django_capture_on_commit_callbacks(execute=True),
    ):
        approve_all(waiting, manager)
    aws.answers.append((429, "TooManyRequestsException"))

    assert queue.send_together(keys, seconds=60) == 9

    late = OutboxMessage.objects.get(kind="answer_callback", status="pending")
    assert (late.attempts, late.leased_until) == (1, None)
    make_due()
    assert queue.send_due() == 1
    assert not PendingCallback.objects.exclude(status="delivered").exists()
