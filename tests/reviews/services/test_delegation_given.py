"""Delegations as they are given and revoked: who may, to whom, for how long, and once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.roles import APPROVERS, Role
from audit.models import AuditEntry
from core.errors import NotPermitted
from reviews.errors import InvalidDelegation
from reviews.models import Delegation
from reviews.services.delegation import delegation_create, delegation_revoke, people_to_delegate_to
from tests.hard_cases.together import together
from tests.reviews.services.delegations import hand_over

pytestmark = pytest.mark.django_db
NOW = timezone.now()


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
    root = make_user("root", *Role, is_superuser=True)
    for by in (officer, senior, root):
        with pytest.raises(NotPermitted):
            delegation_create(delegator=manager, delegate=stand_in, by=by, **times)
    delegation = delegation_create(delegator=manager, delegate=stand_in, by=manager, **times)
    for by in (officer, senior, stand_in):
        with pytest.raises(NotPermitted):
            delegation_revoke(delegation=delegation, by=by)
    ended = delegation_revoke(delegation=delegation, by=manager)
    assert ended.revoked_at is not None
    assert delegation_revoke(delegation=delegation, by=manager).revoked_at == ended.revoked_at


@pytest.mark.parametrize("role", [role for role in Role if role not in APPROVERS])
def test_delegate_without_a_role_for_the_kind_is_refused_and_not_offered(
    senior: User, make_user: Callable[..., User], role: Role
) -> None:
    somebody = make_user("somebody", role)
    with pytest.raises(InvalidDelegation, match="holds no role that decides what senior decides"):
        hand_over(senior, somebody)
    assert somebody not in people_to_delegate_to(delegator=senior)
    assert not Delegation.objects.exists()


def test_same_delegation_twice_is_one(senior: User, stand_in: User) -> None:
    times = {"starts_at": NOW, "ends_at": NOW + timedelta(days=1)}
    first, again = (
        delegation_create(delegator=senior, delegate=stand_in, by=senior, **times) for _ in range(2)
    )
    assert first == again
    assert Delegation.objects.count() == 1
    assert AuditEntry.objects.filter(object_kind="reviews.delegation").count() == 1


def test_revoking_ends_all_that_overlap_between_the_two(
    manager: User, senior: User, stand_in: User
) -> None:
    day = timedelta(days=1)

    def during(first: int, last: int, to: User = stand_in) -> Delegation:
        return delegation_create(
            delegator=senior,
            delegate=to,
            starts_at=NOW + first * day,
            ends_at=NOW + last * day,
            by=senior,
        )

    week, inside, crossing = during(0, 7), during(2, 3), during(6, 9)
    later, elsewhere = during(7, 8), during(0, 7, manager)
    delegation_revoke(delegation=week, by=senior)
    left = set(Delegation.objects.filter(revoked_at=None))
    assert left == {later, elsewhere}
    assert AuditEntry.objects.filter(action="revoked").count() == len((week, inside, crossing))


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_same_delegation_sent_at_the_same_moment_is_one(senior: User, stand_in: User) -> None:
    give = partial(
        delegation_create,
        delegator=senior,
        delegate=stand_in,
        starts_at=NOW,
        ends_at=NOW + timedelta(days=1),
        by=senior,
    )
    results = together([give] * 8)
    assert len({result.pk for result in results if isinstance(result, Delegation)}) == 1, results
    assert not [result for result in results if isinstance(result, Exception)], results
    assert Delegation.objects.count() == 1
    assert AuditEntry.objects.filter(object_kind="reviews.delegation").count() == 1
