"""Authority to decide: the check of one task and the filter of many agree."""

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.roles import APPROVERS, Role, role_above, roles_above, roles_deciding
from core.errors import DomainError
from lending.choices import Outcome
from lending.models import LendingPolicy
from lending.services import approver_of, policy_ceilings, policy_current
from reviews.choices import TaskKind
from reviews.kinds import REVIEW_KINDS
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions
from tests.casework import triggers_lifted, waiting_for_manager

pytestmark = pytest.mark.django_db
CENT = Decimal("0.01")


def amounts(policy: LendingPolicy) -> Iterator[Decimal]:
    """Below, at and above each ceiling and the threshold of a second approval."""
    limits = [limit for limit in policy_ceilings(policy).values() if limit is not None]
    for limit in (*limits, policy.second_approval_threshold):
        yield from (limit - CENT, limit, limit + CENT)


def tasks_of_every_kind(officer: User, first: User) -> list[ReviewTask]:
    """A task for each kind and amount; of approvals also one that ``first`` has approved."""
    found = []
    for amount in amounts(policy_current()):
        for kind, approved in [*((kind, False) for kind in TaskKind), ("manager_approval", True)]:
            task = waiting_for_manager(officer, loan_amount=amount).review_tasks.get()
            if kind != TaskKind.MANAGER_APPROVAL:
                task.kind, task.assigned_role = kind, REVIEW_KINDS[kind].assignees[0].role
            if approved:
                task.approvals_required = 2
                ReviewDecision.objects.create(
                    task=task, decided_by=first, outcome=Outcome.APPROVE, application_version=1
                )
            task.save()
            found.append(task)
    return found


def may_decide(task: ReviewTask, user: User) -> bool:
    now = timezone.now()
    try:
        decisions.decision_check(application=task.application, task=task, user=user, now=now)
    except DomainError:
        return False
    return True


def test_check_and_filter_agree_for_every_role_amount_and_kind(
    officer: User, make_user: Callable[..., User]
) -> None:
    tasks = tasks_of_every_kind(officer, make_user("first", Role.SENIOR_MANAGER))
    people = [make_user(role.key, role) for role in Role]
    people += [make_user("nobody"), make_user("root", is_superuser=True)]
    people += [make_user("everything", *Role, is_superuser=True)]
    people.append(make_user("both", Role.RISK_ANALYST, APPROVERS[0]))

    for user in people:
        checked = {task.pk for task in tasks if may_decide(task, user)}
        listed = decisions.tasks_decidable(user=user, now=timezone.now())
        assert checked == set(listed.values_list("pk", flat=True)), user
        assert decisions.count_waiting_on(user=user, now=timezone.now()) == len(checked)


def test_approval_is_decided_by_the_roles_whose_ceiling_covers_it(
    officer: User, make_user: Callable[..., User]
) -> None:
    policy = policy_current()
    ceilings = policy_ceilings(policy)

    for amount in amounts(policy):
        task = waiting_for_manager(officer, loan_amount=amount).review_tasks.get()
        covering = [role for role in APPROVERS if (top := ceilings[role]) is None or amount <= top]
        assert task.assigned_role == covering[0].key
        assert task.application.waiting_on == covering[0].key
        for role in Role:
            user = User.objects.filter(username=role.key).first() or make_user(role.key, role)
            assert may_decide(task, user) == (role in covering), (role, amount)


def test_lowest_role_that_covers_an_amount_is_asked_and_the_highest_if_none_does() -> None:
    lowest, highest = APPROVERS[0], APPROVERS[-1]
    assert approver_of({lowest: Decimal(10), highest: None}, Decimal(10)) == lowest
    assert approver_of({lowest: Decimal(10), highest: None}, Decimal(10) + CENT) == highest
    assert approver_of({lowest: None, highest: None}, Decimal(10**9)) == lowest
    assert approver_of({}, Decimal(1)) == highest


def test_escalation_goes_to_the_ranks_above_and_no_further_than_the_highest() -> None:
    for place, role in enumerate(APPROVERS[:-1], start=1):
        assert role_above(role.key) == APPROVERS[place]
        assert roles_above(role.key) == APPROVERS[place:]
    assert roles_above(APPROVERS[-1].key) == APPROVERS[-1:]
    assert role_above(Role.RISK_ANALYST.key) == APPROVERS[-1]
    assert roles_deciding(APPROVERS[0].key) == APPROVERS
    assert roles_deciding(Role.RISK_ANALYST.key) == (Role.RISK_ANALYST,)


def test_second_approval_where_the_first_role_has_no_limit_takes_the_role_above(
    officer: User, manager: User, make_user: Callable[..., User]
) -> None:
    with triggers_lifted():
        policy_current().authorities.update(ceiling=None)
    task = waiting_for_manager(officer, loan_amount=Decimal("500000.00")).review_tasks.get()
    decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    second, above = make_user("manager2", Role.MANAGER), make_user("above", APPROVERS[1])

    with pytest.raises(
        DomainError, match=f"has an approval already; a {APPROVERS[1].lower()} gives"
    ):
        decisions.task_decide(task=task, user=second, outcome=Outcome.APPROVE)
    decisions.task_decide(task=task, user=above, outcome=Outcome.APPROVE)
