"""Delegations as the service makes them, and one that it would refuse today."""

from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from reviews.models import Delegation
from reviews.services.delegation import delegation_create


def hand_over(delegator: User, delegate: User, *, days: float = 7) -> Delegation:
    now = timezone.now()
    return delegation_create(
        delegator=delegator,
        delegate=delegate,
        starts_at=now,
        ends_at=now + timedelta(days=days),
        by=delegator,
    )


def given_before_the_rule(delegator: User, delegate: User) -> Delegation:
    """A delegation that the service would refuse today."""
    now = timezone.now()
    return Delegation.objects.create(
        delegator=delegator,
        delegate=delegate,
        created_by=delegator,
        starts_at=now - timedelta(days=1),
        ends_at=now + timedelta(days=1),
    )
