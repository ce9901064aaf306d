"""Publish a policy version as two policy owners do, for tests that need one in force."""

from django.contrib.auth.models import Group, User

from accounts import proposals
from accounts.roles import Role
from lending.models import LendingPolicy
from lending.proposals import publication_propose


def copy_in_force(**changes: object) -> LendingPolicy:
    """Draft version 2: the rules in force, with some changed."""
    current = LendingPolicy.objects.get(version=1)
    rows = [*current.tiers.all(), *current.authorities.all()]
    draft = LendingPolicy.objects.create(version=2, **changes)
    for row in rows:
        row.pk, row.policy = None, draft
        row.save()
    return draft


def policy_owner(name: str) -> User:
    user, _ = User.objects.get_or_create(username=name, defaults={"is_staff": True})
    user.groups.add(Group.objects.get(name=Role.POLICY_OWNER.value))
    return user


def publish(draft: LendingPolicy) -> LendingPolicy:
    """One owner proposes and another confirms."""
    proposal = publication_propose(policy=draft, user=policy_owner("proposes"))
    proposals.proposal_confirm(proposal=proposal, user=policy_owner("confirms"))
    draft.refresh_from_db()
    return draft
