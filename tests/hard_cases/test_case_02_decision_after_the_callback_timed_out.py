"""Hard case 2: a decision arrives after the callback timed out.

It is kept as "late, not applied", shown as such, offers a restart, and never shows as
approved. The embedded engine is a real process; so is its clock.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from applications.models import ApplicationEvent, LoanApplication
from core.errors import DomainError, NotPermitted
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions
from tests import casework
from tests.applications.admin.conftest import Login
from tests.casework import run_of, waiting_for_manager
from tests.functions.engine_process import EngineProcess
from tests.functions.office import Office, deliver_what_waits
from tests.waiting import eventually
from tests.workflows.lambda_stub import LambdaStub
from workflows import sweep
from workflows.callbacks import pending
from workflows.executions import Closed
from workflows.models import Incident, OutboxMessage, PendingCallback, SimulatedPayout
from workflows.operations import application_restart, restart_check
from workflows.steps import review

pytestmark = pytest.mark.django_db(transaction=True)


def late_and_not_applied(reference: str, client: Client, manager: User) -> None:
    """Check that record, page and API say that the decision was late and not applied."""
    application = LoanApplication.objects.get(reference=reference)
    decision = ReviewDecision.objects.get(task__attempt=1)
    assert (decision.late, decision.decided_by, decision.outcome) == (True, manager, "approve")
    task = ReviewTask.objects.get(attempt=1)
    assert (task.status, task.outcome) == ("expired", "")
    assert application.outcome == ""
    event = ApplicationEvent.objects.get(kind="late_decision")
    assert event.is_internal
    incident = Incident.objects.get(kind="decision_late")
    assert incident.status == "open"
    assert "approved by manager" in incident.sentence
    assert "was not applied" in incident.sentence
    assert not SimulatedPayout.objects.exists()
    page = client.get(f"/admin/applications/loanapplication/{application.pk}/change/")
    assert incident.sentence[:60] in page.content.decode().replace("&#x27;", "'")
    assert 'id="press-restart"' in page.content.decode()


def restart_and_fund(
    reference: str, office: Office, manager: User, operations: User
) -> LoanApplication:
    application_restart(reference=reference, user=operations)
    office.until(reference, status="pending_approval")
    office.decide(reference, manager, approved=True)
    office.until(reference, status="funded")
    application = LoanApplication.objects.get(reference=reference)
    assert application.attempt == 2
    assert SimulatedPayout.objects.count() == 1
    assert not Incident.objects.exclude(status="resolved").exists()
    assert ReviewDecision.objects.get(task__attempt=1).late is True
    return application


def test_page_that_was_open_too_long_is_kept_as_late_and_a_restart_lets_it_be_decided_again(
    running: Callable[..., EngineProcess],
    office: Office,
    login: Login,
    manager: User,
    operations: User,
) -> None:
    running()
    reference = office.submit("alice")
    office.until(reference, status="pending_approval")
    ReviewTask.objects.update(expires_at=timezone.now())
    sweep.sweep()
    office.until(reference, status="expired")

    staff = login(manager)
    answers = [
        staff.post(
            f"/api/v1/applications/{reference}/decision/",
            {"approved": True},
            content_type="application/json",
        )
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert answers[0].json()["type"] == "/problems/decision-expired"
    assert office.read(reference)["status"] == "expired"
    assert office.read(reference)["decision"] is None
    late_and_not_applied(reference, login(operations), manager)
    restart_and_fund(reference, office, manager, operations)


def test_decision_that_waited_for_an_engine_which_had_timed_out_meanwhile(
    running: Callable[..., EngineProcess],
    office: Office,
    login: Login,
    manager: User,
    operations: User,
) -> None:
    casework.change_policies(
        approval_due=timedelta(seconds=3), approval_expires=timedelta(seconds=3)
    )
    process = running(LOANOFFICE_DELIVERY_GRACE_SECONDS="0")
    reference = office.submit("alice")
    office.until(reference, status="pending_approval")
    process.kill()
    office.decide(reference, manager, approved=True)  # in time, and nobody is there to hear it
    assert PendingCallback.objects.get().status == "answered"
    eventually(lambda: timezone.now() > PendingCallback.objects.get().expires_at)
    process.start()  # its first look at the clock: the callback is over
    office.until(reference, status="needs_attention")
    deliver_what_waits()  # the answer comes now, and is refused
    assert PendingCallback.objects.get().status == "expired"
    assert OutboxMessage.objects.get(kind="answer_callback").status in {"sent", "cancelled"}
    late_and_not_applied(reference, login(operations), manager)
    casework.change_policies(approval_due=timedelta(days=1), approval_expires=timedelta(days=7))
    restart_and_fund(reference, office, manager, operations)


@pytest.mark.parametrize(
    "closed", [(400, "CallbackTimeoutException"), (404, "ResourceNotFoundException")]
)
def test_both_answers_of_the_engine_mean_that_it_came_too_late(
    aws: LambdaStub, officer: User, manager: User, closed: tuple[int, str]
) -> None:
    application = waiting_for_manager(officer)
    aws.answers.append(closed)
    decisions.task_decide(
        task=application.review_tasks.get(), user=manager, outcome=Outcome.APPROVE
    )  # sent at once, on commit
    message = OutboxMessage.objects.get(kind="answer_callback")
    assert (message.status, closed[1] in message.last_error) == ("pending", True)
    assert PendingCallback.objects.get().status == "answered"

    closed_as = review.expire(
        run_of(application), TaskKind.MANAGER_APPROVAL, operation="expired", wakeup=None
    )

    assert isinstance(closed_as, Closed)
    assert closed_as.status == "needs_attention"
    aws.answers.append(closed)
    deliver_what_waits()
    assert OutboxMessage.objects.get(kind="answer_callback").status != "pending"
    assert PendingCallback.objects.get().status == "expired"
    assert ReviewDecision.objects.get().late is True
    assert Incident.objects.get().kind == "decision_late"


@pytest.mark.usefixtures("decider")
def test_late_decision_of_somebody_who_may_not_decide_is_not_kept(
    officer: User, auditor: User
) -> None:
    application = waiting_for_manager(officer)
    ReviewTask.objects.update(expires_at=timezone.now())
    for user in (officer, auditor):
        with pytest.raises(NotPermitted):
            decisions.task_decide(
                task=application.review_tasks.get(), user=user, outcome=Outcome.APPROVE
            )
    assert not ReviewDecision.objects.exists()
    assert not Incident.objects.exists()


def test_expired_case_without_a_late_decision_is_not_restarted(
    officer: User, operations: User
) -> None:
    application = waiting_for_manager(officer)
    LoanApplication.objects.update(status="expired")
    application.refresh_from_db()
    with pytest.raises(DomainError, match="it cannot become submitted"):
        restart_check(application=application, user=operations)


def test_decision_that_came_late_but_before_the_sweep_still_ends_as_expired(
    officer: User, manager: User
) -> None:
    application = waiting_for_manager(officer)
    ReviewTask.objects.update(expires_at=timezone.now())
    with pytest.raises(decisions.DecisionExpired):
        decisions.task_decide(
            task=application.review_tasks.get(), user=manager, outcome=Outcome.APPROVE
        )
    assert pending.task_time_out(task_id=application.review_tasks.get().pk) is True
    callback = PendingCallback.objects.get()
    assert callback.answer is not None
    assert callback.answer["outcome"] == "expired"
