"""Delegated rights: what the delegate may decide, what they may not, and whose right was used."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from accounts.roles import Role
from applications.models import ApplicationEvent
from audit.models import AuditEntry
from core.errors import NotPermitted
from lending.choices import Outcome
from reviews.errors import AboveCeiling, AlreadyDecided, FourEyesViolation, InvalidDelegation
from reviews.models import Delegation
from reviews.services import decisions
from reviews.services.delegation import delegated_rights, people_to_delegate_to
from tests.casework import submit, waiting_for_manager
from tests.reviews.services.delegations import given_before_the_rule, hand_over

pytestmark = pytest.mark.django_db
APPROVE = Outcome.APPROVE


def test_delegate_decides_in_their_own_name_and_the_right_is_kept(
    officer: User, senior: User, stand_in: User
) -> None:
    task = waiting_for_manager(officer, loan_amount=300_000).review_tasks.get()
    with pytest.raises(AboveCeiling):
        decisions.task_decide(task=task, user=stand_in, outcome=APPROVE)
    hand_over(senior, stand_in)
    decision = decisions.task_decide(task=task, user=stand_in, outcome=APPROVE)
    assert (decision.decided_by, decision.on_behalf_of) == (stand_in, senior)
    event = ApplicationEvent.objects.get(kind="manager_approval_approved")
    assert (event.actor, event.data["on_behalf_of"]) == (stand_in, "senior")


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
    make_user: Callable[..., User],
) -> None:
    both = make_user("both", Role.LOAN_OFFICER, Role.SENIOR_MANAGER)
    stand_in = make_user("standin", Role.LOAN_OFFICER, Role.MANAGER)
    hand_over(both, stand_in)
    own = waiting_for_manager(both, loan_amount=300_000).review_tasks.get()
    with pytest.raises(FourEyesViolation, match="both created"):
        decisions.task_decide(task=own, user=stand_in, outcome=APPROVE)
    theirs = waiting_for_manager(stand_in, loan_amount=300_000).review_tasks.get()
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
    assert delegated_rights(user=stand_in, now=now) == []


def deactivate(user: User) -> None:
    user.is_active = False
    user.save()


def deactivate_without_a_signal(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


@pytest.mark.parametrize("leave", [deactivate, deactivate_without_a_signal])
def test_right_of_somebody_who_left_is_gone(
    officer: User, senior: User, stand_in: User, leave: Callable[[User], None]
) -> None:
    hand_over(senior, stand_in)
    task = waiting_for_manager(officer, loan_amount=300_000).review_tasks.get()
    leave(senior)
    with pytest.raises(AboveCeiling):
        decisions.task_decide(task=task, user=stand_in, outcome=APPROVE)
    assert task not in decisions.tasks_decidable(user=stand_in, now=timezone.now())


def test_delegation_of_a_deactivated_person_is_revoked_and_does_not_come_back(
    senior: User, stand_in: User
) -> None:
    delegation = hand_over(senior, stand_in)
    deactivate(senior)
    delegation.refresh_from_db()
    assert delegation.revoked_at is not None
    assert AuditEntry.objects.get(action="revoked").object_id == str(delegation.pk)
    senior.is_active = True
    senior.save()
    assert delegated_rights(user=stand_in, now=timezone.now()) == []


def test_lent_rights_are_not_passed_on(
    officer: User, senior: User, stand_in: User, make_user: Callable[..., User]
) -> None:
    third = make_user("third", Role.MANAGER)
    hand_over(senior, stand_in)
    hand_over(stand_in, third)
    with pytest.raises(AboveCeiling):
        decisions.task_decide(
            task=waiting_for_manager(officer, loan_amount=300_000).review_tasks.get(),
            user=third,
            outcome=APPROVE,
        )


def test_list_of_decidable_tasks_agrees_with_the_check_for_delegates(
    officer: User, manager: User, senior: User, make_user: Callable[..., User]
) -> None:
    both = make_user("both", Role.LOAN_OFFICER, Role.SENIOR_MANAGER)
    of_manager, of_senior, of_both = (
        make_user(name, Role.LOAN_OFFICER, Role.MANAGER)
        for name in ("standin1", "standin2", "standin3")
    )
    auditor = make_user("auditor", Role.AUDITOR)
    lost = make_user("lost", Role.LOAN_OFFICER)
    hand_over(manager, of_manager)
    hand_over(senior, of_senior)
    hand_over(both, of_both)
    hand_over(senior, manager)
    for name in (auditor, lost):
        given_before_the_rule(senior, name)
    applications = [
        waiting_for_manager(officer),
        waiting_for_manager(both),
        waiting_for_manager(both, loan_amount=300_000),
        waiting_for_manager(of_manager),
        waiting_for_manager(officer, loan_amount=300_000),
        waiting_for_manager(officer, loan_amount=600_000),
        submit(officer),
    ]
    first = applications[5].review_tasks.get()
    decisions.task_decide(task=first, user=of_senior, outcome=APPROVE)
    now = timezone.now()
    people = (officer, manager, senior, both, of_manager, of_senior, of_both, auditor, lost)
    for user in people:
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
        assert bool(allowed) == (user not in {officer, auditor, lost}), user


def test_auditor_receives_nothing_whatever_other_roles_they_hold(
    officer: User, senior: User, make_user: Callable[..., User]
) -> None:
    auditor = make_user("auditor", Role.AUDITOR, Role.MANAGER)
    with pytest.raises(InvalidDelegation):
        hand_over(senior, auditor)
    assert auditor not in people_to_delegate_to(delegator=senior)
    given_before_the_rule(senior, auditor)
    task = waiting_for_manager(officer, loan_amount=300_000).review_tasks.get()
    with pytest.raises(AboveCeiling):
        decisions.task_decide(task=task, user=auditor, outcome=APPROVE)


def test_superuser_without_a_role_neither_gives_nor_receives(
    officer: User, senior: User, stand_in: User, make_user: Callable[..., User]
) -> None:
    root = make_user("root", is_superuser=True)
    for delegator, delegate in ((root, stand_in), (senior, root)):
        with pytest.raises((InvalidDelegation, NotPermitted)):
            hand_over(delegator, delegate)
    assert root not in people_to_delegate_to(delegator=senior)
    given_before_the_rule(root, stand_in)
    assert delegated_rights(user=stand_in, now=timezone.now()) == []


def test_superuser_with_a_role_lends_the_ceiling_of_the_role_alone(
    officer: User, stand_in: User, make_user: Callable[..., User]
) -> None:
    root = make_user("root", Role.MANAGER, is_superuser=True)
    hand_over(root, stand_in)
    task = waiting_for_manager(officer, loan_amount=300_000).review_tasks.get()
    with pytest.raises(AboveCeiling):
        decisions.task_decide(task=task, user=stand_in, outcome=APPROVE)
    assert task not in decisions.tasks_decidable(user=stand_in, now=timezone.now())


def test_delegation_ends_when_the_delegate_loses_the_role(
    officer: User, senior: User, stand_in: User
) -> None:
    delegation = hand_over(senior, stand_in)
    stand_in.groups.clear()
    delegation.refresh_from_db()
    assert delegation.revoked_at is not None
    stand_in.groups.set(Group.objects.filter(name=Role.MANAGER.value))
    task = waiting_for_manager(officer, loan_amount=300_000).review_tasks.get()
    with pytest.raises(AboveCeiling):
        decisions.task_decide(task=task, user=stand_in, outcome=APPROVE)


def test_delegation_ends_when_a_group_loses_its_people(senior: User, stand_in: User) -> None:
    delegation = hand_over(senior, stand_in)
    Group.objects.get(name=Role.SENIOR_MANAGER.value).user_set.clear()
    delegation.refresh_from_db()
    assert delegation.revoked_at is not None


def test_delegation_is_without_effect_while_the_role_may_not_decide(
    officer: User, senior: User, stand_in: User
) -> None:
    hand_over(senior, stand_in)
    Group.objects.get(name=Role.MANAGER.value).permissions.clear()
    task = waiting_for_manager(officer, loan_amount=300_000).review_tasks.get()
    user = User.objects.get(pk=stand_in.pk)
    with pytest.raises(NotPermitted, match="You may not decide"):
        decisions.task_decide(task=task, user=user, outcome=APPROVE)
