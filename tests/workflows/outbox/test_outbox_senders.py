"""Several senders, many messages: side by side with a bound, each message once, none in the way."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection, transaction
from django.utils import timezone

from applications.models import LoanApplication
from applications.services import intake
from lending.choices import Outcome
from reviews.services import decisions
from tests.casework import letters_at_once, submit, waiting_for_manager
from tests.workflows.lambda_stub import LambdaStub, lambda_stub
from workflows import engine
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback
from workflows.operations import execution_pause, execution_resume
from workflows.outbox import backoff, claims
from workflows.outbox import queue as outbox_queue

ROWS = 60


def queue(application: LoanApplication, rows: int = ROWS) -> None:
    """Starts of ``rows`` attempts, as if each had just been submitted."""
    OutboxMessage.objects.all().delete()
    for attempt in range(2, rows + 2):
        name = f"{application.reference}-{attempt}"
        execution = Execution.objects.create(application=application, attempt=attempt, name=name)
        OutboxMessage.objects.create(
            kind="start_execution", key=f"start/{name}", execution=execution, payload={"a": attempt}
        )


def started(aws: LambdaStub) -> list[str]:
    return sorted(aws.name(index) for index in range(len(aws.requests)))


@pytest.mark.django_db
def test_messages_leave_side_by_side_with_a_bound_over_connections_that_are_kept(
    aws: LambdaStub, submitted: LoanApplication
) -> None:
    queue(submitted)
    aws.takes = 0.02
    assert outbox_queue.send_due() == ROWS
    assert len(set(started(aws))) == len(aws.requests) == ROWS
    assert 2 <= aws.most_together <= outbox_queue.PARALLEL
    assert len(aws.clients) <= outbox_queue.PARALLEL
    assert not OutboxMessage.objects.exclude(status="sent").exists()


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_several_sweepers_share_the_messages_and_each_leaves_once(
    aws: LambdaStub, submitted: LoanApplication
) -> None:
    queue(submitted)
    aws.requests.clear()
    aws.takes = 0.01

    def sweep() -> int:
        try:
            return outbox_queue.send_due()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        sent = [future.result() for future in [pool.submit(sweep) for _ in range(4)]]

    assert sum(sent) == ROWS
    assert len(set(started(aws))) == len(aws.requests) == ROWS
    assert set(OutboxMessage.objects.values_list("attempts", flat=True)) == {1}


@pytest.mark.django_db
def test_many_poison_rows_in_front_do_not_hold_up_the_one_behind(
    aws: LambdaStub, submitted: LoanApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    # None of them is due again before the last was tried, however slow the machine is.
    monkeypatch.setattr(backoff, "FIRST_DELAY", backoff.LONGEST_DELAY)
    queue(submitted)
    good = OutboxMessage.objects.last()
    assert good is not None
    OutboxMessage.objects.exclude(pk=good.pk).update(execution=None)
    assert outbox_queue.send_due() == 1
    good.refresh_from_db()
    assert good.status == "sent"
    assert OutboxMessage.objects.filter(status="pending", attempts=1).count() == ROWS - 1


@pytest.mark.django_db
def test_slow_sender_whose_lease_ended_does_not_undo_what_another_sent(
    aws: LambdaStub, submitted: LoanApplication
) -> None:
    [slow] = claims.claim(OutboxMessage.objects.all(), limit=1)
    OutboxMessage.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert outbox_queue.send_due() == 1
    outbox_queue._put_off(slow, RuntimeError("too late"))
    message = OutboxMessage.objects.get()
    assert (message.status, message.attempts, message.last_error) == ("sent", 2, "")


@pytest.mark.django_db
def test_start_under_a_name_that_another_payload_has_is_given_up_at_once(
    aws: LambdaStub, submitted: LoanApplication
) -> None:
    aws.answers.append((409, "DurableExecutionAlreadyStartedException"))
    assert outbox_queue.send_due() == 0
    message = OutboxMessage.objects.get()
    assert (message.status, message.attempts) == ("dead", 1)
    incident = Incident.objects.get()
    assert (incident.kind, incident.message) == ("delivery_failed", message)
    assert "was tried once" in incident.sentence


@pytest.mark.django_db
def test_letter_that_cannot_be_sent_is_an_incident_of_its_case(
    officer: User, manager: User, monkeypatch: pytest.MonkeyPatch, aws: LambdaStub, settings: object
) -> None:
    letters_at_once()
    application = waiting_for_manager(officer)
    OutboxMessage.objects.exclude(kind="email").delete()
    settings.MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "OPTIONS": {"host": "127.0.0.1", "port": 9, "timeout": 2},
        }
    }
    outbox_queue.send_due()
    letter = OutboxMessage.objects.get(key__endswith=f"/{manager.pk}")
    assert (letter.status, letter.attempts) == ("pending", 1)
    OutboxMessage.objects.filter(pk=letter.pk).update(
        attempts=outbox_queue.TRIES - 1, due_at=timezone.now()
    )
    outbox_queue.send_due()
    incident = Incident.objects.get()
    assert (incident.application, incident.message) == (application, letter)


@pytest.mark.django_db
def test_each_decider_is_a_message_so_that_one_bad_address_costs_nobody_else(
    officer: User, manager: User, senior: User, aws: LambdaStub
) -> None:
    letters_at_once()
    waiting_for_manager(officer)
    outbox_queue.send_due()
    keys = set(OutboxMessage.objects.filter(kind="email").values_list("key", "status"))
    task = PendingCallback.objects.get().review_task_id
    assert keys == {
        (f"task/{task}", "sent"),
        (f"task/{task}/{manager.pk}", "sent"),
        (f"task/{task}/{senior.pk}", "sent"),
    }
    assert len(mail.outbox) == 2


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_engine_out_of_reach_is_asked_once_and_the_rest_is_left_to_the_sweep(
    officer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lambda_stub(monkeypatch) as stub:
        url = f"http://127.0.0.1:{stub.server.server_port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", url)  # nobody listens there any more
    engine.forget_client()
    for _ in range(5):
        submit(officer)
    tried = list(OutboxMessage.objects.order_by("pk").values_list("attempts", flat=True))
    assert tried == [1, 0, 0, 0, 0]
    assert engine.is_circuit_open()
    assert outbox_queue.send_due() == 0  # the sweep asks
    assert OutboxMessage.objects.order_by("pk").last().attempts == 1
    engine.forget_client()


@pytest.mark.django_db
def test_answer_on_its_way_is_called_back_by_a_withdrawal_and_never_an_incident(
    aws: LambdaStub, officer: User, manager: User
) -> None:
    application = waiting_for_manager(officer)
    outbox_queue.send_due()
    decisions.task_decide(
        task=application.review_tasks.get(), user=manager, outcome=Outcome.APPROVE
    )
    [claimed] = claims.claim(OutboxMessage.objects.filter(kind="answer_callback"), limit=1)
    intake.application_withdraw(reference=application.reference, user=officer)
    aws.answers.append((400, "CallbackTimeoutException"))
    assert outbox_queue._deliver([claimed]) == 1  # it was under way; the engine had stopped
    assert PendingCallback.objects.get().status == "cancelled"
    outbox_queue.send_due()
    assert not Incident.objects.exists()


@pytest.mark.django_db
def test_pause_that_was_taken_back_before_it_left_does_not_leave(
    aws: LambdaStub, officer: User, operations: User
) -> None:
    application = waiting_for_manager(officer)
    outbox_queue.send_due()
    sent_before = len(aws.requests)
    execution_pause(reference=application.reference, user=operations, reason="Look at it.")
    execution_resume(reference=application.reference, user=operations)
    outbox_queue.send_due()  # the pause first; the resume waits for its turn
    OutboxMessage.objects.filter(status="pending").update(due_at=timezone.now())
    outbox_queue.send_due()
    paths = [path for path, _, _ in aws.requests[sent_before:]]
    # The resume is sent: the engine, which knows no pause, says that there is none.
    assert [path.rpartition("/")[2] for path in paths] == ["resume"]
    assert not OutboxMessage.objects.exclude(status="sent").exists()


@pytest.mark.django_db
def test_pause_and_resume_leave_in_their_order_with_a_token_each(
    aws: LambdaStub, officer: User, operations: User
) -> None:
    application = waiting_for_manager(officer)
    outbox_queue.send_due()
    name = Execution.objects.get().name
    for _ in range(2):
        execution_pause(reference=application.reference, user=operations, reason="Look at it.")
        assert Execution.objects.get().paused_at is not None
        outbox_queue.send_due()
        execution_resume(reference=application.reference, user=operations)
        assert Execution.objects.get().paused_at is None
        outbox_queue.send_due()
    held = [
        (p.rpartition("/")[2], b["ClientToken"]) for p, _, b in aws.requests if "ClientToken" in b
    ]
    assert held == [
        ("pause", f"pause/{name}/1"),
        ("resume", f"resume/{name}/1"),
        ("pause", f"pause/{name}/2"),
        ("resume", f"resume/{name}/2"),
    ]


@pytest.mark.django_db
def test_settling_that_the_database_refuses_is_put_off_and_the_others_are_settled(
    aws: LambdaStub, submitted: LoanApplication
) -> None:
    queue(submitted, rows=3)
    first = OutboxMessage.objects.earliest("pk")
    with transaction.atomic():
        # Two executions with one ARN: the unique constraint refuses the second.
        Execution.objects.filter(attempt=1).update(arn=f"arn:{submitted.reference}-2")
    assert outbox_queue.send_due() == 2
    first.refresh_from_db()
    assert first.status == "pending"
    assert "IntegrityError" in first.last_error
    assert Execution.objects.filter(status="RUNNING").count() == 2
