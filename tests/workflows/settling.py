"""Settle a payout of unknown outcome as two people do, for tests that need it settled."""

from django.contrib.auth.models import Group, User

from accounts import proposals
from accounts.proposals import Confirmation
from accounts.roles import Role
from workflows.proposals import settlement_propose


def colleague() -> User:
    """Another member of Operations."""
    user, _ = User.objects.get_or_create(username="operations2", defaults={"is_staff": True})
    user.groups.add(Group.objects.get(name=Role.OPERATIONS.value))
    return user


def settle(*, reference: str, user: User, paid: bool, **also: str) -> Confirmation:
    """``user`` proposes what became of it, and a colleague confirms."""
    proposal = settlement_propose(reference=reference, user=user, paid=paid, **also)
    return proposals.proposal_confirm(proposal=proposal, user=colleague())
