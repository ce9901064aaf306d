"""Delegate one person's tasks to another, between two moments.

The delegate may decide only what the delegator may decide, and does so in their own name; the
decision stores whose authority was used. A delegate cannot delegate the tasks further.
"""

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from audit.models import Action
from audit.services import entry_record
from core.errors import NotPermitted
from reviews.errors import InvalidDelegation
from reviews.models import Delegation

LONGEST = timedelta(days=366)


def delegators(*, user: User, now: datetime) -> list[User]:
    """Return the people who delegate to ``user`` now; one query."""
    rows = (
        Delegation.objects.filter(
            delegate=user,
            starts_at__lte=now,
            ends_at__gt=now,
            revoked_at__isnull=True,
            delegator__is_active=True,
        )
        .select_related("delegator")
        .order_by("pk")
    )
    return list({row.delegator_id: row.delegator for row in rows}.values())


@transaction.atomic
def delegation_create(
    *, delegator: User, delegate: User, starts_at: datetime, ends_at: datetime, by: User
) -> Delegation:
    """Delegate ``delegator``'s tasks to ``delegate``.

    People delegate their own tasks; a superuser may do it for somebody who is away. Raises
    ``NotPermitted`` and ``InvalidDelegation``.
    """
    if not by.has_perm("reviews.add_delegation"):
        raise NotPermitted("You may not hand tasks to somebody else.")
    if by != delegator and not by.is_superuser:
        raise NotPermitted("You may hand over your own tasks, not those of somebody else.")
    errors: dict[str, list[str]] = {}
    if delegate == delegator:
        errors["delegate"] = ["Choose somebody else."]
    elif not delegate.is_active or not delegate.is_staff:
        errors["delegate"] = ["This person cannot log in."]
    if ends_at <= starts_at:
        errors["ends_at"] = ["The end has to be after the start."]
    elif ends_at <= timezone.now():
        errors["ends_at"] = ["The end is over already."]
    elif ends_at - starts_at > LONGEST:
        errors["ends_at"] = [f"At most {LONGEST.days} days."]
    if errors:
        raise InvalidDelegation(errors)
    delegation = Delegation.objects.create(
        delegator=delegator,
        delegate=delegate,
        starts_at=starts_at,
        ends_at=ends_at,
        created_by=by,
    )
    entry_record(
        action=Action.CREATED,
        message=f"{delegate} may decide for {delegator}.",
        actor=by,
        target=delegation,
        changes={"starts_at": (None, starts_at), "ends_at": (None, ends_at)},
        details={"delegator": delegator, "delegate": delegate},
    )
    return delegation


def revoke_check(*, delegation: Delegation, by: User) -> None:
    """Raise the reason why ``by`` may not end a delegation; return if they may."""
    if not by.has_perm("reviews.change_delegation"):
        raise NotPermitted("You may not end a delegation.")
    if by.pk != delegation.delegator_id and not by.is_superuser:
        raise NotPermitted("You may end your own delegations, not those of somebody else.")


@transaction.atomic
def delegation_revoke(*, delegation: Delegation, by: User) -> Delegation:
    """End a delegation now; repeating it changes nothing. Raises ``NotPermitted``."""
    revoke_check(delegation=delegation, by=by)
    delegation = Delegation.objects.select_for_update().get(pk=delegation.pk)
    if delegation.revoked_at is None:
        delegation.revoked_at = timezone.now()
        delegation.save(update_fields=["revoked_at"])
        entry_record(
            action=Action.REVOKED,
            message=f"{delegation.delegate} decides for {delegation.delegator} no more.",
            actor=by,
            target=delegation,
            changes={"revoked_at": (None, delegation.revoked_at)},
        )
    return delegation
