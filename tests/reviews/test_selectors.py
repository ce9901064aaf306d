"""Tasks that count as decided: their status, together with the decisions that they need."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.roles import Role
from lending.choices import Outcome
from reviews.choices import TaskStatus
from reviews.models import ReviewDecision, ReviewTask
from reviews.selectors import task_outcome, tasks_decided
from reviews.services import decisions
from tests.casework import waiting_for_manager

pytestmark = pytest.mark.django_db

APPROVE, DECLINE = Outcome.APPROVE, Outcome.DECLINE


@pytest.fixture
def task(officer: User) -> ReviewTask:
    """Return an open task that one approval settles."""
    return waiting_for_manager(officer).review_tasks.get()


@pytest.fixture
def task_for_two(officer: User) -> ReviewTask:
    """Return an open task that needs two approvals."""
    waiting = waiting_for_manager(officer, loan_amount=Decimal(500_000))
    return waiting.review_tasks.get()


def close(task: ReviewTask, outcome: Outcome | str, status: str = TaskStatus.DECIDED) -> None:
    """Write a status past the services, as a fault or somebody with the database might."""
    ReviewTask.objects.filter(pk=task.pk).update(status=status, outcome=outcome)
    task.refresh_from_db()


def give(task: ReviewTask, user: User, outcome: Outcome = APPROVE, **fields: object) -> None:
    ReviewDecision.objects.create(
        task=task,
        decided_by=user,
        outcome=outcome,
        reason="" if outcome == APPROVE else "No.",
        application_version=task.application.version,
        decided_at=timezone.now(),
        **fields,
    )


@pytest.mark.parametrize("outcome", [APPROVE, DECLINE])
def test_decision_of_a_person_decides_a_task(
    task: ReviewTask, manager: User, outcome: Outcome
) -> None:
    assert task_outcome(task=task) is None
    decisions.task_decide(task=task, user=manager, outcome=outcome, reason="No.")
    task.refresh_from_db()
    assert task_outcome(task=task) == outcome
    assert list(tasks_decided()) == [task]


def test_first_of_two_approvals_does_not_decide(
    task_for_two: ReviewTask, senior: User, make_user: Callable[..., User]
) -> None:
    decisions.task_decide(task=task_for_two, user=senior, outcome=APPROVE)
    assert task_outcome(task=task_for_two) is None
    second = make_user("senior2", Role.SENIOR_MANAGER)
    decisions.task_decide(task=task_for_two, user=second, outcome=APPROVE)
    assert task_outcome(task=task_for_two) == APPROVE


@pytest.mark.parametrize("outcome", [APPROVE, DECLINE])
def test_task_closed_without_any_decision_is_not_decided(
    task: ReviewTask, outcome: Outcome
) -> None:
    close(task, outcome)
    assert task_outcome(task=task) is None


def test_task_closed_with_one_of_two_approvals_is_not_decided(
    task_for_two: ReviewTask, senior: User
) -> None:
    give(task_for_two, senior)
    close(task_for_two, APPROVE)
    assert task_outcome(task=task_for_two) is None


def test_two_approvals_with_one_persons_right_are_one(
    task_for_two: ReviewTask, senior: User, manager: User
) -> None:
    give(task_for_two, senior)
    give(task_for_two, manager, on_behalf_of=senior)
    close(task_for_two, APPROVE)
    assert task_outcome(task=task_for_two) is None


@pytest.mark.parametrize("outcome", [APPROVE, DECLINE])
def test_late_decision_does_not_decide(task: ReviewTask, manager: User, outcome: Outcome) -> None:
    give(task, manager, outcome, late=True)
    close(task, outcome)
    assert task_outcome(task=task) is None


def test_outcome_that_contradicts_the_decisions_is_not_decided(
    task: ReviewTask, manager: User
) -> None:
    give(task, manager, DECLINE)
    close(task, APPROVE)
    assert task_outcome(task=task) is None


@pytest.mark.parametrize("status", [TaskStatus.OPEN, TaskStatus.EXPIRED, TaskStatus.CANCELLED])
def test_approval_on_a_task_with_another_status_does_not_decide(
    task: ReviewTask, manager: User, status: str
) -> None:
    give(task, manager)
    close(task, "", status)
    assert task_outcome(task=task) is None
