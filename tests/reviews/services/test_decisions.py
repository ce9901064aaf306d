"""Deciding: who may, what is written, and what happens when two come at once."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.roles import APPROVERS, Role
from applications.errors import StaleVersion
from applications.models import ApplicationEvent, LoanApplication
from applications.services import intake
from core.errors import NotPermitted
from lending.choices import Outcome
from reviews.errors import (
    AboveCeiling,
    AlreadyDecided,
    DecisionExpired,
    FourEyesViolation,
    NothingToDecide,
    ReasonRequired,
)
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions
from tests.casework import many_waiting_for_manager, waiting_for_manager
from workflows.models import OutboxMessage, PendingCallback

pytestmark = pytest.mark.django_db
APPROVE, DECLINE = Outcome.APPROVE, Outcome.DECLINE


def nothing_was_decided() -> bool:
    return not (
        ReviewDecision.objects.exists()
        or OutboxMessage.objects.filter(kind="answer_callback").exists()
        or ReviewTask.objects.exclude(status="open").exists()
    )


def test_approval_writes_decision_event_and_the_answer_that_leaves(
    task: ReviewTask, manager: User
) -> None:
    decision = decisions.task_decide(task=task, user=manager, outcome=APPROVE, version=1)
    task.refresh_from_db()
    assert (task.status, task.outcome) == ("decided", "approve")
    assert (decision.decided_by, decision.application_version) == (manager, 1)
    event = ApplicationEvent.objects.get(kind="manager_approval_approved")
    assert event.actor == manager
    assert "manager " not in event.message
    assert event.message == "Manager approval: approved."
    callback = PendingCallback.objects.get()
    assert callback.status == "answered"
    message = OutboxMessage.objects.get(kind="answer_callback")
    assert message.payload == {"outcome": "approve", "task": task.pk, "decision": decision.pk}
    assert (message.callback, message.status) == (callback, "pending")
    task.application.refresh_from_db()
    assert (task.application.status, task.application.waiting_on) == ("in_review", "")


def test_second_manager_gets_conflict_and_first_decision_stands(
    task: ReviewTask, manager: User, make_user: Callable[..., User]
) -> None:
    decisions.task_decide(task=task, user=manager, outcome=APPROVE)
    late = make_user("manager2", Role.MANAGER)
    with pytest.raises(AlreadyDecided, match=r"already decided \(approve\) by manager at"):
        decisions.task_decide(task=task, user=late, outcome=DECLINE, reason="No.")
    assert ReviewDecision.objects.get().decided_by == manager
    assert OutboxMessage.objects.filter(kind="answer_callback").count() == 1


@pytest.mark.parametrize("is_superuser", [False, True])
def test_whoever_submitted_cannot_decide_superusers_included(
    make_user: Callable[..., User], is_superuser: bool
) -> None:
    both = make_user("both", Role.LOAN_OFFICER, Role.MANAGER, is_superuser=is_superuser)
    task = waiting_for_manager(both).review_tasks.get()
    with pytest.raises(FourEyesViolation, match="You created LOAN-"):
        decisions.task_decide(task=task, user=both, outcome=APPROVE)
    assert nothing_was_decided()


def test_whoever_edited_cannot_decide(
    waiting: LoanApplication, task: ReviewTask, make_user: Callable[..., User]
) -> None:
    editor = make_user("editor", Role.LOAN_OFFICER, Role.MANAGER)
    intake.application_edit(reference=waiting.reference, user=editor, phone="613-555-0199")
    with pytest.raises(FourEyesViolation, match="You edited"):
        decisions.task_decide(task=task, user=editor, outcome=APPROVE)
    assert nothing_was_decided()


@pytest.mark.parametrize("role", [r for r in Role if r not in APPROVERS])
def test_other_roles_may_not_decide(
    task: ReviewTask, make_user: Callable[..., User], role: Role
) -> None:
    with pytest.raises(NotPermitted):
        decisions.task_decide(task=task, user=make_user("somebody", role), outcome=APPROVE)
    assert nothing_was_decided()


def test_manager_decides_up_to_the_ceiling_and_a_senior_above_it(
    officer: User, manager: User, senior: User
) -> None:
    at = waiting_for_manager(officer, loan_amount=Decimal("250000.00")).review_tasks.get()
    decisions.task_decide(task=at, user=manager, outcome=APPROVE)
    above = waiting_for_manager(officer, loan_amount=Decimal("250000.01")).review_tasks.get()
    with pytest.raises(AboveCeiling, match=r"250,000\.00 CAD"):
        decisions.task_decide(task=above, user=manager, outcome=APPROVE)
    decisions.task_decide(task=above, user=senior, outcome=APPROVE)


def test_one_person_gives_one_of_two_approvals(
    officer: User, senior: User, make_user: Callable[..., User]
) -> None:
    task = waiting_for_manager(officer, loan_amount=Decimal("500000.00")).review_tasks.get()
    decisions.task_decide(task=task, user=senior, outcome=APPROVE)
    with pytest.raises(AlreadyDecided, match="by you"):
        decisions.task_decide(task=task, user=senior, outcome=APPROVE)
    assert not OutboxMessage.objects.filter(kind="answer_callback").exists()
    other = make_user("senior2", Role.SENIOR_MANAGER)
    decisions.task_decide(task=task, user=other, outcome=APPROVE)
    task.refresh_from_db()
    assert task.status == "decided"
    assert OutboxMessage.objects.filter(kind="answer_callback").count() == 1


def test_one_decline_of_two_settles_it(
    officer: User, senior: User, make_user: Callable[..., User]
) -> None:
    task = waiting_for_manager(officer, loan_amount=Decimal("500000.00")).review_tasks.get()
    decisions.task_decide(task=task, user=senior, outcome=APPROVE)
    other = make_user("senior2", Role.SENIOR_MANAGER)
    decisions.task_decide(task=task, user=other, outcome=DECLINE, reason="Too much.")
    task.refresh_from_db()
    assert task.outcome == "decline"


def test_decision_on_a_version_that_changed_is_refused(
    waiting: LoanApplication, task: ReviewTask, officer: User, manager: User
) -> None:
    intake.application_edit(reference=waiting.reference, user=officer, phone="613-555-0199")
    with pytest.raises(StaleVersion, match="is at version 2; you read version 1"):
        decisions.task_decide(task=task, user=manager, outcome=APPROVE, version=1)
    assert nothing_was_decided()
    decisions.task_decide(task=task, user=manager, outcome=APPROVE, version=2)


@pytest.mark.parametrize("reason", ["", "  \n "])
def test_decline_needs_a_reason(task: ReviewTask, manager: User, reason: str) -> None:
    with pytest.raises(ReasonRequired):
        decisions.task_decide(task=task, user=manager, outcome=DECLINE, reason=reason)
    assert nothing_was_decided()


def test_decision_after_the_time_is_kept_as_late_and_not_applied(
    task: ReviewTask, manager: User
) -> None:
    ReviewTask.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    for _ in range(2):
        with pytest.raises(DecisionExpired, match="was not applied"):
            decisions.task_decide(task=task, user=manager, outcome=APPROVE)
    decision = ReviewDecision.objects.get()
    assert (decision.late, decision.decided_by) == (True, manager)
    assert ReviewTask.objects.get().status == "open"
    assert not OutboxMessage.objects.filter(kind="answer_callback").exists()


def test_withdrawal_cancels_the_task_and_a_decision_finds_nothing(
    waiting: LoanApplication, task: ReviewTask, officer: User, manager: User
) -> None:
    intake.application_withdraw(reference=waiting.reference, user=officer)
    with pytest.raises(NothingToDecide):
        decisions.task_decide(task=task, user=manager, outcome=APPROVE)
    task.refresh_from_db()
    assert task.status == "cancelled"
    assert PendingCallback.objects.get().status == "cancelled"


def test_a_role_lost_before_the_press_refuses_it(task: ReviewTask, manager: User) -> None:
    manager.groups.clear()
    with pytest.raises(NotPermitted):
        decisions.task_decide(task=task, user=User.objects.get(pk=manager.pk), outcome=APPROVE)
    assert nothing_was_decided()


@pytest.mark.both_databases
def test_the_database_itself_refuses_a_second_decision_of_one_person(
    task: ReviewTask, manager: User
) -> None:
    rows = [
        ReviewDecision(task=task, decided_by=manager, outcome="approve", application_version=1)
        for _ in range(2)
    ]
    with pytest.raises(IntegrityError), transaction.atomic():
        ReviewDecision.objects.bulk_create(rows)


def test_only_approve_and_decline_are_decisions(task: ReviewTask, manager: User) -> None:
    with pytest.raises(ValueError, match="approves or declines"):
        decisions.task_decide(task=task, user=manager, outcome=Outcome.REFER)


def test_what_waits_on_a_person_is_counted_up_to_a_bound(
    officer: User, manager: User, analyst: User, django_assert_num_queries: Any
) -> None:
    cases = many_waiting_for_manager(officer, 3)
    waiting_for_manager(officer, loan_amount=Decimal(300_000))
    now = timezone.now()
    assert decisions.count_waiting_on(user=manager, now=now) == 3
    assert decisions.count_waiting_on(user=manager, now=now, most=2) == 2
    assert decisions.count_waiting_on(user=analyst, now=now) == 0
    decisions.task_decide(task=cases[0].review_tasks.get(), user=manager, outcome=APPROVE)
    fresh = User.objects.get(pk=manager.pk)
    fresh.get_all_permissions()
    with django_assert_num_queries(3):  # who delegated, their partner keys, and the count
        assert decisions.count_waiting_on(user=fresh, now=now) == 2
