"""Claiming a task: who may, what it keeps others from, and how it ends."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.roles import Role
from applications.models import ApplicationEvent, LoanApplication
from applications.services import intake
from core.errors import NotPermitted
from lending.choices import Outcome
from reviews.errors import (
    AboveCeiling,
    ClaimedBySomebodyElse,
    DecisionExpired,
    FourEyesViolation,
    NothingToDecide,
)
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions
from reviews.services.authority import CLAIM_LASTS, claim_stands
from reviews.services.claims import task_claim, task_release
from tests import casework

pytestmark = pytest.mark.django_db
APPROVE = Outcome.APPROVE


def lines() -> list[tuple[str, str | None, bool]]:
    """Kind, actor and whether staff alone read it, of each line about claims."""
    kinds = ("claimed", "claim_taken_over", "claim_released")
    rows = ApplicationEvent.objects.filter(kind__in=kinds).order_by("pk")
    return list(rows.values_list("kind", "actor__username", "is_internal"))


def lapse() -> None:
    ReviewTask.objects.update(claimed_at=timezone.now() - CLAIM_LASTS)


def decidable(user: User) -> int:
    return decisions.tasks_decidable(user=user, now=timezone.now()).count()


def test_claim_is_recorded_and_keeps_others_from_deciding(
    waiting: LoanApplication, task: ReviewTask, manager: User, other: User, senior: User
) -> None:
    claimed = task_claim(task=task, user=manager)

    assert claimed.claimed_by == manager
    assert lines() == [("claimed", "manager", True)]
    for user in (other, senior):
        with pytest.raises(ClaimedBySomebodyElse) as refused:
            decisions.task_decide(task=task, user=user, outcome=APPROVE)
        assert refused.value.claimed_by == "manager"
        assert decidable(user) == 0
        assert decisions.tasks_waiting_on(user=user, now=timezone.now()).count() == 1
    assert not ReviewDecision.objects.exists()
    assert decidable(manager) == 1
    version = waiting.version
    waiting.refresh_from_db()
    assert waiting.version == version  # whoever reads it decides on what they read

    decisions.task_decide(task=task, user=manager, outcome=APPROVE, version=version)
    task.refresh_from_db()
    assert (task.status, task.claimed_by, task.claimed_at) == ("decided", None, None)


def test_claimed_again_by_its_holder_it_lasts_longer_and_is_one_line(
    task: ReviewTask, manager: User
) -> None:
    task_claim(task=task, user=manager)
    ReviewTask.objects.update(claimed_at=timezone.now() - CLAIM_LASTS + timedelta(minutes=1))

    task_claim(task=task, user=manager)

    task.refresh_from_db()
    assert claim_stands(task, timezone.now() + timedelta(minutes=20))
    assert lines() == [("claimed", "manager", True)]


def test_second_claim_is_refused_and_the_first_stands(
    task: ReviewTask, manager: User, other: User
) -> None:
    task_claim(task=task, user=manager)

    with pytest.raises(ClaimedBySomebodyElse):
        task_claim(task=task, user=other)
    with pytest.raises(NotPermitted):
        task_claim(task=task, user=other, take_over=True)

    task.refresh_from_db()
    assert task.claimed_by == manager
    assert lines() == [("claimed", "manager", True)]


def test_claim_lapses_by_itself(task: ReviewTask, manager: User, other: User) -> None:
    task_claim(task=task, user=manager)
    lapse()

    assert decidable(other) == 1
    task_claim(task=task, user=other)
    lapse()
    decisions.task_decide(task=task, user=manager, outcome=APPROVE)

    assert lines() == [("claimed", "manager", True), ("claimed", "manager2", True)]


@pytest.mark.parametrize("who", ["senior", "root"])
def test_senior_manager_and_superuser_take_a_claim_over_and_it_is_recorded(
    task: ReviewTask, manager: User, make_user: Callable[..., User], who: str
) -> None:
    boss = (
        make_user("root", *Role, is_superuser=True)
        if who == "root"
        else make_user("senior", Role.SENIOR_MANAGER)
    )
    task_claim(task=task, user=manager)

    with pytest.raises(ClaimedBySomebodyElse):
        task_claim(task=task, user=boss)  # not by accident
    task_claim(task=task, user=boss, take_over=True)

    assert lines() == [("claimed", "manager", True), ("claim_taken_over", who, True)]
    taken = ApplicationEvent.objects.get(kind="claim_taken_over")
    assert taken.data["taken_from"] == "manager"
    with pytest.raises(ClaimedBySomebodyElse):
        decisions.task_decide(task=task, user=manager, outcome=APPROVE)


def test_holder_releases_and_others_may_decide(
    task: ReviewTask, manager: User, other: User
) -> None:
    task_claim(task=task, user=manager)
    with pytest.raises(ClaimedBySomebodyElse):
        task_release(task=task, user=other)

    assert task_release(task=task, user=manager)
    assert not task_release(task=task, user=manager)

    assert lines() == [("claimed", "manager", True), ("claim_released", "manager", True)]
    decisions.task_decide(task=task, user=other, outcome=APPROVE)


def test_holder_who_lost_the_role_may_release_and_not_claim_again(
    task: ReviewTask, manager: User
) -> None:
    task_claim(task=task, user=manager)
    manager.groups.clear()
    lost = User.objects.get(pk=manager.pk)

    assert task_release(task=task, user=lost)
    with pytest.raises(NotPermitted):
        task_claim(task=task, user=lost)
    with pytest.raises(NotPermitted):
        task_release(task=task, user=lost)


def test_only_those_who_may_decide_may_claim(
    waiting: LoanApplication,
    task: ReviewTask,
    officer: User,
    auditor: User,
    manager: User,
    make_user: Callable[..., User],
) -> None:
    both = make_user("both", Role.LOAN_OFFICER, Role.MANAGER)
    intake.application_edit(reference=waiting.reference, user=both, phone="613-555-0142")
    large = casework.waiting_for_manager(officer, loan_amount=Decimal(300_000))
    refused = (
        (task, officer, NotPermitted),
        (task, auditor, NotPermitted),
        (task, both, FourEyesViolation),
        (large.review_tasks.get(), manager, AboveCeiling),
    )
    for asked, user, error in refused:
        with pytest.raises(error):
            task_claim(task=asked, user=user)
    ReviewTask.objects.filter(pk=task.pk).update(expires_at=timezone.now())
    with pytest.raises(DecisionExpired):
        task_claim(task=task, user=manager)
    intake.application_withdraw(reference=waiting.reference, user=officer)
    with pytest.raises(NothingToDecide):
        task_claim(task=task, user=manager)
    assert lines() == []


def test_first_of_two_approvals_releases_the_claim_for_the_second_person(
    officer: User, senior: User, make_user: Callable[..., User]
) -> None:
    task = casework.waiting_for_manager(officer, loan_amount=Decimal(600_000)).review_tasks.get()
    task_claim(task=task, user=senior)
    decisions.task_decide(task=task, user=senior, outcome=APPROVE)

    task.refresh_from_db()
    assert (task.status, task.claimed_by) == ("open", None)
    second = make_user("senior2", Role.SENIOR_MANAGER)
    task_claim(task=task, user=second)
    decisions.task_decide(task=task, user=second, outcome=APPROVE)
    task.refresh_from_db()
    assert task.outcome == "approve"
