"""Handing tasks over: what the delegate may, what they may not, and whose right was used."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.roles import Role
from applications.models import ApplicationEvent
from core.errors import NotPermitted
from lending.choices import Outcome
from reviews.errors import AboveCeiling, AlreadyDecided, FourEyesViolation, InvalidDelegation
from reviews.models import Delegation
from reviews.services import decisions
from reviews.services.delegation import delegation_create, delegation_revoke, delegators
from tests.casework import submit, waiting_for_manager

pytestmark = pytest.mark.django_db
NOW = timezone.now()
APPROVE = Outcome.APPROVE


def hand_over(delegator: User, delegate: User, *, days: float = 7) -> Delegation:
    now = timezone.now()
    return delegation_create(
        delegator=delegator,
        delegate=delegate,
        starts_at=now,
        ends_at=now + timedelta(days=days),
        by=delegator,
    )


@pytest.fixture
def stand_in(make_user: Callable[..., User]) -> User:
    """Somebody who may decide nothing in their own right."""
    return make_user("standin", Role.LOAN_OFFICER)


def test_delegate_decides_in_their_own_name_and_the_right_is_kept(
    officer: User, manager: User, stand_in: User
) -> None:
    task = waiting_for_manager(officer).review_tasks.get()
    with pytest.raises(NotPermitted):
        decisions.task_decide(task=task, user=stand_in, outcome=APPROVE)
    hand_over(manager, stand_in)
    decision = decisions.task_decide(task=task, user=stand_in, outcome=APPROVE)
    assert (decision.decided_by, decision.on_behalf_of) == (stand_in, manager)
    event = ApplicationEvent.objects.get(kind="manager_approval_approved")
    assert (event.actor, event.data["on_behalf_of"]) == (stand_in, "manager")


def test_own_right_is_used_before_one_that_was_lent(
    officer: User, manager: User, senior: User
) -> None:
    hand_over(senior, manager)
    task = waiting_for_manager(officer).review_tasks.get()
    decision = decisions.task_decide(task=task, user=manager, outcome=APPROVE)
    assert decision.on_behalf_of is None


def test_lent_right_reaches_as_far_as_that_of_the_lender(
    officer: User, manager: User, senior: User, stand_in: User
) -> None:
    large = waiting_for_manager(officer, loan_amount=300_000).review_tasks.get()
    hand_over(manager, stand_in)
    with pytest.raises(AboveCeiling):
        decisions.task_decide(task=large, user=stand_in, outcome=APPROVE)
    with pytest.raises(AboveCeiling):
        decisions.task_decide(task=large, user=manager, outcome=APPROVE)
    hand_over(senior, manager)
    assert decisions.task_decide(task=large, user=manager, outcome=APPROVE).on_behalf_of == senior


def test_four_eyes_hold_for_the_delegate_and_for_who_lent_the_right(
    make_user: Callable[..., User], manager: User
) -> None:
    both = make_user("both", Role.LOAN_OFFICER, Role.MANAGER)
    stand_in = make_user("standin", Role.LOAN_OFFICER)
    hand_over(both, stand_in)
    own = waiting_for_manager(both).review_tasks.get()
    with pytest.raises(FourEyesViolation, match="both created"):
        decisions.task_decide(task=own, user=stand_in, outcome=APPROVE)
    theirs = waiting_for_manager(stand_in).review_tasks.get()
    with pytest.raises(FourEyesViolation, match="You created"):
        decisions.task_decide(task=theirs, user=stand_in, outcome=APPROVE)


def test_one_right_gives_one_approval_whoever_uses_it(
    officer: User, senior: User, stand_in: User, make_user: Callable[..., User]
) -> None:
    task = waiting_for_manager(officer, loan_amount=600_000).review_tasks.get()
    hand_over(senior, stand_in)
    decisions.task_decide(task=task, user=stand_in, outcome=APPROVE)
    with pytest.raises(AlreadyDecided, match="in the same right"):
        decisions.task_decide(task=task, user=senior, outcome=APPROVE)
    second = make_user("senior2", Role.SENIOR_MANAGER)
    hand_over(second, stand_in)
    with pytest.raises(AlreadyDecided, match="by you"):
        decisions.task_decide(task=task, user=stand_in, outcome=APPROVE)
    task.refresh_from_db()
    assert task.status == "open"
    decisions.task_decide(task=task, user=second, outcome=APPROVE)
    task.refresh_from_db()
    assert task.status == "decided"


@pytest.mark.parametrize(
    ("starts", "ends", "revoked"), [(1, 2, False), (-2, -1, False), (-1, 1, True)]
)
def test_delegation_counts_only_in_its_time_and_until_it_is_revoked(
    manager: User, stand_in: User, starts: int, ends: int, revoked: bool
) -> None:
    now = timezone.now()
    Delegation.objects.create(
        delegator=manager,
        delegate=stand_in,
        created_by=manager,
        starts_at=now + timedelta(days=starts),
        ends_at=now + timedelta(days=ends),
        revoked_at=now if revoked else None,
    )
    assert delegators(user=stand_in, now=now) == []


def test_right_of_somebody_who_left_is_gone(officer: User, manager: User, stand_in: User) -> None:
    hand_over(manager, stand_in)
    task = waiting_for_manager(officer).review_tasks.get()
    manager.is_active = False
    manager.save()
    with pytest.raises(NotPermitted):
        decisions.task_decide(task=task, user=stand_in, outcome=APPROVE)


def test_lent_rights_are_not_passed_on(
    officer: User, manager: User, stand_in: User, make_user: Callable[..., User]
) -> None:
    third = make_user("third", Role.LOAN_OFFICER)
    hand_over(manager, stand_in)
    Delegation.objects.create(
        delegator=stand_in,
        delegate=third,
        created_by=stand_in,
        starts_at=timezone.now(),
        ends_at=timezone.now() + timedelta(days=1),
    )
    with pytest.raises(NotPermitted):
        decisions.task_decide(
            task=waiting_for_manager(officer).review_tasks.get(), user=third, outcome=APPROVE
        )


def test_list_of_decidable_tasks_agrees_with_the_check_for_delegates(
    officer: User, manager: User, senior: User, make_user: Callable[..., User]
) -> None:
    both = make_user("both", Role.LOAN_OFFICER, Role.MANAGER)
    of_manager, of_senior, of_both = (
        make_user(name, Role.LOAN_OFFICER) for name in ("standin1", "standin2", "standin3")
    )
    hand_over(manager, of_manager)
    hand_over(senior, of_senior)
    hand_over(both, of_both)
    hand_over(senior, manager)
    applications = [
        waiting_for_manager(officer),
        waiting_for_manager(both),
        waiting_for_manager(of_manager),
        waiting_for_manager(officer, loan_amount=300_000),
        waiting_for_manager(officer, loan_amount=600_000),
        submit(officer),
    ]
    first = applications[4].review_tasks.get()
    decisions.task_decide(task=first, user=of_senior, outcome=APPROVE)
    now = timezone.now()
    for user in (officer, manager, senior, both, of_manager, of_senior, of_both):
        allowed = set()
        for application in applications:
            application.refresh_from_db()
            for task in application.review_tasks.all():
                try:
                    decisions.decision_check(application=application, task=task, user=user, now=now)
                except (NotPermitted, AlreadyDecided):
                    continue
                allowed.add(task.pk)
        listed = set(decisions.tasks_decidable(user=user, now=now).values_list("pk", flat=True))
        assert listed == allowed, user


@pytest.mark.parametrize(
    ("starts", "ends", "field"),
    [
        (NOW, NOW, "ends_at"),
        (NOW - timedelta(days=3), NOW - timedelta(days=2), "ends_at"),
        (NOW, NOW + timedelta(days=367), "ends_at"),
    ],
)
def test_times_that_make_no_sense_are_refused_by_field(
    manager: User, stand_in: User, starts: datetime, ends: datetime, field: str
) -> None:
    with pytest.raises(InvalidDelegation) as refused:
        delegation_create(
            delegator=manager, delegate=stand_in, starts_at=starts, ends_at=ends, by=manager
        )
    assert set(refused.value.errors) == {field}
    assert not Delegation.objects.exists()


def test_delegate_has_to_be_somebody_else_who_can_log_in(
    manager: User, stand_in: User, officer: User
) -> None:
    with pytest.raises(InvalidDelegation, match="somebody else"):
        hand_over(manager, manager)
    stand_in.is_active = False
    stand_in.save()
    with pytest.raises(InvalidDelegation, match="cannot log in"):
        hand_over(manager, stand_in)


def test_people_hand_over_and_take_back_their_own_tasks_only(
    manager: User, senior: User, officer: User, stand_in: User, make_user: Callable[..., User]
) -> None:
    times = {"starts_at": NOW, "ends_at": NOW + timedelta(days=1)}
    for by in (officer, senior):
        with pytest.raises(NotPermitted):
            delegation_create(delegator=manager, delegate=stand_in, by=by, **times)
    root = make_user("root", is_superuser=True)
    delegation = delegation_create(delegator=manager, delegate=stand_in, by=root, **times)
    for by in (officer, senior, stand_in):
        with pytest.raises(NotPermitted):
            delegation_revoke(delegation=delegation, by=by)
    ended = delegation_revoke(delegation=delegation, by=manager)
    assert ended.revoked_at is not None
    assert delegation_revoke(delegation=delegation, by=manager).revoked_at == ended.revoked_at
