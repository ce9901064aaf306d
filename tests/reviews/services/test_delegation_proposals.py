"""The tasks of somebody who is away are handed over by two superusers, never by one."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.errors import OwnProposal, ProposalVoid
from accounts.models import Proposal
from accounts.proposals import confirmers_of_proposal, proposal_confirm
from accounts.roles import Role
from audit.models import Action, AuditEntry
from core.errors import NotPermitted
from reviews.errors import InvalidDelegation
from reviews.models import Delegation
from reviews.proposals import delegation_propose


@pytest.fixture
def stand_in(make_user: Callable[..., User]) -> User:
    return make_user("stand_in", Role.MANAGER)


@pytest.fixture
def other(make_user: Callable[..., User]) -> User:
    return make_user("other", is_superuser=True)


@pytest.fixture
def days() -> dict[str, Any]:
    now = timezone.now()
    return {"starts_at": now, "ends_at": now + timedelta(days=1)}


def test_one_superuser_proposes_and_another_confirms(
    root: User, other: User, senior: User, stand_in: User, days: dict[str, Any]
) -> None:
    proposal = delegation_propose(delegator=senior, delegate=stand_in, user=root, **days)

    assert not Delegation.objects.exists()
    assert AuditEntry.objects.get(action=Action.PROPOSED).actor == root
    assert confirmers_of_proposal(proposal) == [other]
    with pytest.raises(OwnProposal):
        proposal_confirm(proposal=proposal, user=root)
    proposal_confirm(proposal=proposal, user=other)

    given = Delegation.objects.get()
    assert (given.delegator, given.delegate, given.created_by) == (senior, stand_in, other)
    assert (given.starts_at, given.ends_at) == (days["starts_at"], days["ends_at"])
    entry = AuditEntry.objects.get(object_kind="reviews.delegation")
    assert (entry.details["proposed_by"], entry.details["confirmed_by"]) == ("root", "other")


def test_whoever_is_not_a_superuser_proposes_nothing_for_others(
    manager: User, senior: User, stand_in: User, days: dict[str, Any]
) -> None:
    with pytest.raises(NotPermitted):
        delegation_propose(delegator=senior, delegate=stand_in, user=manager, **days)

    assert not Proposal.objects.exists()


@pytest.mark.parametrize("wrong", ["to themselves", "without a role", "over already"])
def test_what_could_not_be_given_is_refused_at_once(
    make_user: Callable[..., User],
    senior: User,
    stand_in: User,
    officer: User,
    days: dict[str, Any],
    wrong: str,
) -> None:
    root = make_user("root", Role.MANAGER, is_superuser=True)
    delegate = {"to themselves": root, "without a role": officer}.get(wrong, stand_in)
    if wrong == "over already":
        days = {name: at - timedelta(days=2) for name, at in days.items()}

    with pytest.raises(InvalidDelegation):
        delegation_propose(delegator=senior, delegate=delegate, user=root, **days)

    assert not Proposal.objects.exists()


def test_superuser_who_would_get_the_tasks_does_not_confirm(
    make_user: Callable[..., User], root: User, senior: User, days: dict[str, Any]
) -> None:
    receiver = make_user("receiver", Role.MANAGER, is_superuser=True)
    proposal = delegation_propose(delegator=senior, delegate=receiver, user=root, **days)

    assert receiver not in confirmers_of_proposal(proposal)
    with pytest.raises(OwnProposal):
        proposal_confirm(proposal=proposal, user=receiver)
    assert not Delegation.objects.exists()


def test_proposal_is_void_when_one_of_the_two_gets_or_loses_a_role(
    root: User, other: User, senior: User, stand_in: User, days: dict[str, Any]
) -> None:
    proposal = delegation_propose(delegator=senior, delegate=stand_in, user=root, **days)
    stand_in.groups.clear()

    with pytest.raises(ProposalVoid):
        proposal_confirm(proposal=proposal, user=other)

    assert not Delegation.objects.exists()


def test_no_setting_lets_one_superuser_do_both(
    root: User, senior: User, stand_in: User, days: dict[str, Any], settings: Any
) -> None:
    settings.LOANOFFICE_SINGLE_ADMIN = True
    proposal = delegation_propose(delegator=senior, delegate=stand_in, user=root, **days)

    with pytest.raises(OwnProposal):
        proposal_confirm(proposal=proposal, user=root)

    assert not Delegation.objects.exists()
