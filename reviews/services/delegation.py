"""Delegate one person's tasks to another, between two moments.

The delegate may decide only what the delegator may decide, and does so in their own name; the
decision stores whose authority was used. A delegate cannot delegate the tasks further.

Both need a role that decides the kind of task: a delegation adds the delegator's ceiling and
place in the order of approvals, never the right to decide as such. A superuser's rights as such
are not delegated, and an auditor receives nothing. ``in_force`` says so of rows, for every list,
e-mail and decision; ``delegations_end_without_role`` revokes what a change of roles ended.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.rights import permissions_by_role, permissions_named, person_now
from accounts.roles import APPROVERS, Role
from audit.models import Action
from audit.services import entry_record
from core.errors import NotPermitted
from core.locking import locked
from reviews.errors import InvalidDelegation
from reviews.kinds import ROWS
from reviews.models import Delegation
from reviews.signals import delegations_changed

if TYPE_CHECKING:
    from accounts.proposal_kinds import Confirmed

LONGEST = timedelta(days=366)
DECIDING = frozenset(row.permission for row in ROWS)
# What makes up a person's right to decide: the kinds, and the ranks that they approve as.
RIGHTS = DECIDING | {role.authority_permission for role in APPROVERS}


class Right(NamedTuple):
    """The right of ``person`` to decide, which they use themselves or have delegated."""

    person: User
    permissions: frozenset[str]  # of ``RIGHTS``

    def may(self, permission: str) -> bool:
        return permission in self.permissions


def own_right(user: User) -> Right:
    """Return what ``user`` may decide without a delegation."""
    return Right(user, frozenset(name for name in RIGHTS if user.has_perm(name)))


class Rights:
    """The rights of a person now, their own and those delegated to them; each is read once."""

    def __init__(self, person: User, now: datetime) -> None:
        self.person, self._now = person, now

    @cached_property
    def own(self) -> Right:
        return own_right(self.person)

    @cached_property
    def delegated(self) -> list[Right]:
        """The rights that others delegated to them, read when their own is not enough."""
        return delegated_rights(user=self.person, now=self._now)


def delegated_rights(*, user: User, now: datetime) -> list[Right]:
    """Return the rights that are delegated to ``user`` now: one query, or three if there are any.

    Of the kinds of tasks only those that the delegate holds a role for.
    """
    rows = _running(now=now).filter(delegate=user)
    if not rows.exists():  # mostly: every page with the badge asks, and the filter below is long
        return []
    return _by_delegate(rows.filter(in_force())).get(user.pk, [])


def all_delegated_rights(*, now: datetime) -> dict[int, list[Right]]:
    """Return the rights delegated to anybody now, by delegate: one query, or three if any are.

    The same rule as ``delegated_rights``, for everybody at once.
    """
    if not _running(now=now).exists():
        return {}
    return _by_delegate(delegations_in_force(now=now))


def _by_delegate(rows: QuerySet[Delegation]) -> dict[int, list[Right]]:
    pairs: dict[int, dict[int, User]] = {}
    for row in rows.select_related("delegator").order_by("pk"):
        pairs.setdefault(row.delegate_id, {})[row.delegator_id] = row.delegator
    if not pairs:
        return {}
    people = {*pairs, *(delegator for delegators in pairs.values() for delegator in delegators)}
    held = permissions_by_role(people=people, among=RIGHTS)
    return {
        delegate: [
            Right(person, held[pk] - (DECIDING - held[delegate]))
            for pk, person in delegators.items()
        ]
        for delegate, delegators in pairs.items()
    }


def delegations_in_force(
    *, now: datetime, permissions: Collection[str] = DECIDING
) -> QuerySet[Delegation]:
    """Return the delegations by which somebody may decide for somebody else now."""
    return _running(now=now).filter(in_force(permissions))


def _running(*, now: datetime) -> QuerySet[Delegation]:
    return Delegation.objects.filter(starts_at__lte=now, ends_at__gt=now, revoked_at__isnull=True)


def in_force(permissions: Collection[str] = DECIDING) -> Q:
    """Return a filter of delegations: two active people with roles for one of ``permissions``."""
    shared = permissions_named(permissions)
    for person in ("delegator", "delegate"):
        shared = shared.filter(group__user=OuterRef(person), group__name__in=list(Role))
    return Q(
        Exists(shared),
        ~Q(delegate__in=User.objects.filter(groups__name=Role.AUDITOR)),
        delegator__is_active=True,
        delegate__is_active=True,
        delegate__is_staff=True,
    )


def people_with_a_right() -> QuerySet[User]:
    """Return the people who hold a role that decides something."""
    holders = User.groups.through.objects.filter(
        group__permissions__in=permissions_named(DECIDING), group__name__in=list(Role)
    )
    return User.objects.filter(is_active=True, is_staff=True, pk__in=holders.values("user"))


def people_to_delegate_to(*, delegator: User | None) -> QuerySet[User]:
    """Return who may be chosen as the delegate of ``delegator``, or of anybody with ``None``."""
    people = people_with_a_right().exclude(groups__name=Role.AUDITOR)
    if delegator is None:
        return people
    held = permissions_by_role(people=[delegator.pk], among=DECIDING)[delegator.pk]
    same = User.groups.through.objects.filter(
        group__permissions__in=permissions_named(held), group__name__in=list(Role)
    )
    return people.filter(pk__in=same.values("user")).exclude(pk=delegator.pk)


def delegation_check(
    *, delegator: User, delegate: User, starts_at: datetime, ends_at: datetime, by: User | None
) -> None:
    """Raise ``InvalidDelegation`` with the reasons, by field, why this cannot be delegated.

    ``by`` is who would delegate it; ``None`` stands for nobody in particular.
    """
    errors = {**_errors_of_people(delegator, delegate), **_errors_of_times(starts_at, ends_at)}
    if by == delegate != delegator:
        errors["delegate"] = ["You cannot hand the tasks of somebody else to yourself."]
    if errors:
        raise InvalidDelegation(errors)


@transaction.atomic
def delegation_create(
    *,
    delegator: User,
    delegate: User,
    starts_at: datetime,
    ends_at: datetime,
    by: User,
    confirmed: "Confirmed | None" = None,
) -> Delegation:
    """Delegate ``delegator``'s tasks to ``delegate``; the same delegation again is the first one.

    People delegate their own tasks. Those of somebody who is away are delegated by a
    ``confirmed`` proposal of superusers alone (``reviews.proposals``). Raises ``NotPermitted``
    and ``InvalidDelegation``.
    """
    # In the order of keys, so that two that are sent at once follow each other.
    people = {found.pk: found for found in locked(_both(delegator, delegate))}
    delegator, delegate = people[delegator.pk], people[delegate.pk]
    now = person_now(by)
    if now is None or not now.has_perm("reviews.add_delegation"):
        raise NotPermitted("You may not hand tasks to somebody else.")
    if by != delegator and confirmed is None:
        raise NotPermitted("You may hand over your own tasks, not those of somebody else.")
    if by == delegator and not people_with_a_right().filter(pk=by.pk).exists():
        raise NotPermitted(f"{by} holds no role that decides anything.")
    delegation_check(
        delegator=delegator, delegate=delegate, starts_at=starts_at, ends_at=ends_at, by=by
    )
    delegation, created = Delegation.objects.get_or_create(
        delegator=delegator,
        delegate=delegate,
        starts_at=starts_at,
        ends_at=ends_at,
        revoked_at=None,
        defaults={"created_by": by},
    )
    if created:
        entry_record(
            action=Action.CREATED,
            message=f"{delegate} may decide for {delegator}.",
            actor=by,
            target=delegation,
            changes={"starts_at": (None, starts_at), "ends_at": (None, ends_at)},
            details={
                "delegator": delegator,
                "delegate": delegate,
                **({} if confirmed is None else confirmed.details),
            },
        )
        delegations_changed.send(Delegation)
    return delegation


def revoke_check(*, delegation: Delegation, by: User) -> None:
    """Raise the reason why ``by`` may not end a delegation; return if they may."""
    if not by.has_perm("reviews.change_delegation"):
        raise NotPermitted("You may not end a delegation.")
    if by.pk != delegation.delegator_id and not by.is_superuser:
        raise NotPermitted("You may end your own delegations, not those of somebody else.")


@transaction.atomic
def delegation_revoke(*, delegation: Delegation, by: User) -> Delegation:
    """End a delegation now, and those of the same two people that overlap with it.

    Repeating it changes nothing. Raises ``NotPermitted``.
    """
    revoke_check(delegation=delegation, by=by)
    overlapping = Delegation.objects.filter(
        delegator=delegation.delegator_id,
        delegate=delegation.delegate_id,
        starts_at__lt=delegation.ends_at,
        ends_at__gt=delegation.starts_at,
    )
    for row in locked(overlapping.select_related("delegator", "delegate")):
        _revoke(row, by=by)
    delegations_changed.send(Delegation)
    return Delegation.objects.get(pk=delegation.pk)


@transaction.atomic
def delegations_end_without_role(*, people: Collection[int] | None) -> None:
    """Revoke the delegations of these people, or of all, that are in force no more.

    For a change of roles, or of who may sign in. A role that comes back later brings no
    delegation back.
    """
    rows = Delegation.objects.filter(revoked_at__isnull=True, ends_at__gt=timezone.now())
    if people is not None:
        rows = rows.filter(Q(delegator__in=people) | Q(delegate__in=people))
    if not rows.exists():  # mostly; the query below is a long one
        return
    ended = rows.exclude(pk__in=Delegation.objects.filter(in_force()).values("pk"))
    for row in locked(ended.select_related("delegator", "delegate")):
        _revoke(row, by=None)


def _revoke(row: Delegation, *, by: User | None) -> None:
    if row.revoked_at is not None:
        return
    row.revoked_at = timezone.now()
    row.save(update_fields=["revoked_at"])
    why = "" if by is not None else " One of them is not active, or lost the role for it."
    entry_record(
        action=Action.REVOKED,
        message=f"{row.delegate} decides for {row.delegator} no more.{why}",
        actor=by,
        target=row,
        changes={"revoked_at": (None, row.revoked_at)},
    )


def _errors_of_people(delegator: User, delegate: User) -> dict[str, list[str]]:
    if delegate == delegator:
        return {"delegate": ["Choose somebody else."]}
    if not delegate.is_active or not delegate.is_staff:
        return {"delegate": ["This person cannot log in."]}
    if not people_with_a_right().filter(pk=delegator.pk).exists():
        return {"delegator": [f"{delegator} holds no role that decides anything."]}
    if not people_to_delegate_to(delegator=delegator).filter(pk=delegate.pk).exists():
        return {"delegate": [f"{delegate} holds no role that decides what {delegator} decides."]}
    return {}


def _errors_of_times(starts_at: datetime, ends_at: datetime) -> dict[str, list[str]]:
    if ends_at <= starts_at:
        return {"ends_at": ["The end has to be after the start."]}
    if ends_at <= timezone.now():
        return {"ends_at": ["The end is over already."]}
    if ends_at - starts_at > LONGEST:
        return {"ends_at": [f"At most {LONGEST.days} days."]}
    return {}


def rights_of_both(delegator: User, delegate: User) -> list[list[str]]:
    """Return what each of the two may decide now; nothing of one who is not active."""
    held = permissions_by_role(people=[delegator.pk, delegate.pk], among=RIGHTS)
    active = set(_both(delegator, delegate).filter(is_active=True).values_list("pk", flat=True))
    return [sorted(held[each.pk]) if each.pk in active else [] for each in (delegator, delegate)]


def both_locked(delegator: User, delegate: User) -> list[User]:
    """Lock the two, by primary key."""
    return list(locked(_both(delegator, delegate)))


def _both(delegator: User, delegate: User) -> QuerySet[User]:
    return User.objects.filter(pk__in=[delegator.pk, delegate.pk])
