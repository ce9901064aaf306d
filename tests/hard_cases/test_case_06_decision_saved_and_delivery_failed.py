"""Hard case 6: the decision is saved and its delivery fails: retried, shown, never lost."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from applications.models import LoanApplication
from lending.choices import Outcome
from reviews.models import ReviewDecision
from reviews.services import decisions
from tests.applications.admin.conftest import Login
from tests.functions.engine_process import EngineProcess
from tests.functions.office import Office, assert_funded_once, deliver_what_waits
from tests.workflows.lambda_stub import LambdaStub
from workflows import engine
from workflows.models import Incident, OutboxMessage, PendingCallback
from workflows.operations import message_resend
from workflows.outbox import backoff, queue

pytestmark = pytest.mark.django_db(transaction=True)

FAILURES = [
    (429, "TooManyRequestsException"),
    (503, "ServiceException"),
    (500, "InternalServerException"),
    (409, "ResourceConflictException"),
]


def approve(application: LoanApplication, manager: User) -> OutboxMessage:
    decisions.task_decide(
        task=application.review_tasks.get(), user=manager, outcome=Outcome.APPROVE
    )
    return OutboxMessage.objects.get(kind="answer_callback")


def page_of(application: LoanApplication, login: Login, user: User) -> str:
    address = f"/admin/applications/loanapplication/{application.pk}/change/"
    return login(user).get(address).content.decode()


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure[1])
def test_failed_delivery_is_tried_again_later_and_the_page_says_that_it_is_pending(
    aws: LambdaStub,
    waiting: LoanApplication,
    manager: User,
    login: Login,
    monkeypatch: pytest.MonkeyPatch,
    failure: tuple[int, str],
) -> None:
    # The page may take longer than the first delay.
    monkeypatch.setattr(backoff, "FIRST_DELAY", backoff.LONGEST_DELAY)
    aws.answers.append(failure)
    before = timezone.now()
    message = approve(waiting, manager)

    assert (message.status, message.attempts) == ("pending", 1)
    assert failure[1] in message.last_error
    assert before + backoff.backoff(1) / 2 < message.due_at
    assert PendingCallback.objects.get().status == "answered"
    assert "Delivery pending" in page_of(waiting, login, manager)
    queue.send_due()
    message.refresh_from_db()
    assert (message.status, message.attempts) == ("pending", 1)  # not due yet

    deliver_what_waits()

    assert OutboxMessage.objects.get(kind="answer_callback").status == "sent"
    assert PendingCallback.objects.get().status == "delivered"
    assert "Delivery pending" not in page_of(waiting, login, manager)
    answers = [body for path, _, body in aws.requests if path.endswith("/succeed")]
    assert [answer["outcome"] for answer in answers] == ["approve", "approve"]  # 1 refused, 1 taken


def test_delays_grow_and_are_never_the_same_for_all(aws: LambdaStub) -> None:
    for attempt in range(1, queue.TRIES):
        delays = {backoff.backoff(attempt).total_seconds() for _ in range(20)}
        longest = min(backoff.FIRST_DELAY * 2 ** (attempt - 1), backoff.LONGEST_DELAY)
        assert len(delays) == 20
        assert all(longest / 2 <= delay <= longest for delay in delays)


def test_network_that_is_away_is_put_off_as_well(
    monkeypatch: pytest.MonkeyPatch, waiting: LoanApplication, manager: User
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9")
    engine.forget_client()
    message = approve(waiting, manager)
    assert (message.status, message.attempts) == ("pending", 1)
    assert "EngineUnavailable" in message.last_error
    assert ReviewDecision.objects.get().late is False


def test_last_try_is_an_incident_whose_button_delivers_the_decision(
    running: Callable[..., EngineProcess],
    office: Office,
    login: Login,
    manager: User,
    operations: User,
) -> None:
    process = running()
    reference = office.submit("alice")
    office.until(reference, status="pending_approval")
    process.kill()
    office.decide(reference, manager, approved=True)
    OutboxMessage.objects.filter(kind="answer_callback").update(attempts=queue.TRIES - 1)
    deliver_what_waits()

    message = OutboxMessage.objects.get(kind="answer_callback")
    assert message.status == "dead"
    incident = Incident.objects.get()
    assert (incident.kind, incident.status, incident.message) == (
        "delivery_failed",
        "open",
        message,
    )
    assert f"was tried {queue.TRIES} times" in incident.sentence
    application = LoanApplication.objects.get()
    assert "Answer a callback" in page_of(application, login, operations)
    assert ReviewDecision.objects.get().outcome == "approve"  # not lost

    process.start()
    message_resend(message=message, user=operations)
    deliver_what_waits()

    office.until(reference, status="funded")
    assert_funded_once(reference)
    assert Incident.objects.get().status == "resolved"
