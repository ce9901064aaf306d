"""Reminded when due, escalated half way, expired at last: once each, and only while it is open."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.utils import timezone

from accounts.roles import Role
from applications.models import ApplicationEvent, LoanApplication
from applications.services import intake
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.models import ReviewTask
from reviews.services import decisions
from reviews.services.delegation import delegation_create
from tests import casework
from tests.casework import ask, assess, letters_at_once, offered, submit, waiting_for_manager
from workflows import review_deadlines
from workflows.models import OutboxMessage, PendingCallback
from workflows.outbox import queue

pytestmark = pytest.mark.django_db


@pytest.fixture
def task(officer: User) -> ReviewTask:
    """Opened now, due in a day, half way after three and a half, over after seven."""
    found = waiting_for_manager(officer).review_tasks.get()
    OutboxMessage.objects.all().delete()
    return found


def after(task: ReviewTask, **span: float) -> dict[str, int]:
    return review_deadlines.pass_deadlines(now=task.opened_at + timedelta(**span))


def letters() -> list[tuple[str, str]]:
    """Recipient and subject of what is sent now."""
    mail.outbox.clear()
    OutboxMessage.objects.exclude(kind="email").delete()
    queue.send_due()
    return sorted((letter.to[0], letter.subject) for letter in mail.outbox)


def test_nothing_happens_before_the_task_is_due(task: ReviewTask) -> None:
    assert after(task, hours=23) == {"expired": 0, "reminded": 0, "escalated": 0}
    assert not OutboxMessage.objects.exists()


def test_deciders_are_reminded_once_when_it_is_due(
    task: ReviewTask, manager: User, senior: User
) -> None:
    assert after(task, days=1) == {"expired": 0, "reminded": 1, "escalated": 0}
    assert after(task, days=1, hours=1) == {"expired": 0, "reminded": 0, "escalated": 0}
    reference = task.application.reference
    subject = f"Reminder: Manager approval: {reference}"
    assert letters() == [(manager.email, subject), (senior.email, subject)]
    event = ApplicationEvent.objects.get(kind="reminded")
    assert (event.is_internal, event.level) == (True, "warning")


def test_senior_managers_alone_hear_of_it_half_way_to_the_end(
    task: ReviewTask, manager: User, senior: User
) -> None:
    after(task, days=1)
    OutboxMessage.objects.all().delete()
    assert after(task, days=3, hours=11)["escalated"] == 0
    assert after(task, days=3, hours=12) == {"expired": 0, "reminded": 0, "escalated": 1}
    assert after(task, days=3, hours=13)["escalated"] == 0
    assert letters() == [
        (senior.email, f"Escalated: Manager approval: {task.application.reference}")
    ]
    assert ApplicationEvent.objects.filter(kind="escalated").count() == 1
    task.refresh_from_db()
    assert task.assigned_role == "manager"  # whoever was asked still may decide
    decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)


def test_time_that_is_over_ends_the_wait_and_nobody_is_reminded_any_more(
    task: ReviewTask, manager: User
) -> None:
    ReviewTask.objects.update(
        opened_at=task.opened_at - timedelta(days=7),
        due_at=task.opened_at - timedelta(days=6),
        expires_at=task.opened_at,
    )
    assert review_deadlines.pass_deadlines(now=timezone.now()) == {
        "expired": 1,
        "reminded": 0,
        "escalated": 0,
    }
    assert ReviewTask.objects.get().status == "expired"
    assert PendingCallback.objects.get().answer == {"outcome": "expired", "task": task.pk}
    assert OutboxMessage.objects.get().kind == "answer_callback"


def test_decided_or_withdrawn_tasks_are_left_alone(officer: User, manager: User) -> None:
    decided, withdrawn = waiting_for_manager(officer), waiting_for_manager(officer)
    decisions.task_decide(task=decided.review_tasks.get(), user=manager, outcome=Outcome.APPROVE)
    intake.application_withdraw(reference=withdrawn.reference, user=officer)
    later = timezone.now() + timedelta(days=30)
    assert review_deadlines.pass_deadlines(now=later) == {
        "expired": 0,
        "reminded": 0,
        "escalated": 0,
    }


def test_task_settled_between_the_look_and_the_lock_is_left_alone(
    task: ReviewTask, manager: User
) -> None:
    decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    later = task.opened_at + timedelta(days=5)
    assert review_deadlines.remind(task_id=task.pk, now=later) is False
    assert review_deadlines.escalate(task_id=task.pk, now=later) is False
    assert not ApplicationEvent.objects.filter(kind__in=["reminded", "escalated"]).exists()


def test_who_stands_in_gets_the_letters_of_who_is_away(
    officer: User, senior: User, make_user: Callable[..., User]
) -> None:
    stand_in = make_user("standin", Role.MANAGER)
    now = timezone.now()
    delegation_create(
        delegator=senior,
        delegate=stand_in,
        starts_at=now,
        ends_at=now + timedelta(days=9),
        by=senior,
    )
    letters_at_once()
    waiting_for_manager(officer, loan_amount=300_000)
    assert [to for to, _ in letters()] == [senior.email, stand_in.email]


def test_applicant_is_reminded_of_an_offer_and_nobody_is_above_an_applicant(
    officer: User, senior: User
) -> None:
    casework.change_policies(offer_acceptance_required=True)
    application: LoanApplication = offered(officer, email="charlie@example.com")
    task = ask(application, TaskKind.OFFER_ACCEPTANCE)
    OutboxMessage.objects.all().delete()
    assert after(task, days=8) == {"expired": 0, "reminded": 1, "escalated": 0}
    assert [to for to, _ in letters()] == ["charlie@example.com"]


def test_fraud_review_goes_to_the_analysts_again_and_to_nobody_who_could_not_decide_it(
    officer: User, analyst: User, senior: User
) -> None:
    application = submit(officer, sin_last4="4444")
    assess(application)
    task = ask(application, TaskKind.FRAUD_REVIEW)
    OutboxMessage.objects.all().delete()
    assert after(task, days=4) == {"expired": 0, "reminded": 1, "escalated": 1}
    assert [to for to, _ in letters()] == [analyst.email, analyst.email]
    event = ApplicationEvent.objects.get(kind="escalated")
    assert event.message == "Fraud review: escalated to the risk analysts."
