"""Reads about sign-in: what a session still lacks, what an account page shows."""

from datetime import timedelta
from enum import Enum
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.models import Invitation, RequiredSecondFactor, SecondFactor
from accounts.roles import EVERY_ROLE, Role
from audit.models import Action, AuditEntry
from core.models import OwnList

KNOWN_FOR = timedelta(days=30)
SIGN_INS = (Action.SIGNED_IN, Action.SIGN_IN_FAILED, Action.LOCKED_OUT, Action.SIGNED_OUT)
# Roles that enter applications or only read. Any permission that none of them has decides or
# administers, in whatever group it is.
NOT_DECIDING = (Role.LOAN_OFFICER, Role.AUDITOR)
HARMLESS = {
    name.partition(".")[2]
    for name in (*EVERY_ROLE, *(name for role in NOT_DECIDING for name in role.permissions))
}


class Lacks(Enum):
    """The second factor that a session lacks before it may do anything."""

    NOTHING = "nothing"
    CODE = "code"  # the person has a second factor, and this session has not shown it
    ENROLMENT = "enrolment"  # a role of theirs needs one, and they have none


def person_with_second_factor(pk: Any) -> User:
    """Read a person with what ``session_lacks`` needs; one query. Raises ``User.DoesNotExist``."""
    return _with_second_factor(required=settings.LOANOFFICE_SECOND_FACTOR_REQUIRED).get(pk=pk)


@cache
def _with_second_factor(*, required: bool) -> "QuerySet[User]":
    """Annotate all users. Made once, because each request asks and making it takes most of that."""
    devices = SecondFactor.objects.filter(user=OuterRef("pk"), confirmed=True)
    needed: Q = Q(Exists(RequiredSecondFactor.objects.filter(group__user=OuterRef("pk"))))
    if required:
        needed |= Q(Exists(_deciding_groups().filter(user=OuterRef("pk"))))
        needed |= Q(Exists(_deciding_permissions_of(OuterRef("pk"))))
        needed |= Q(is_superuser=True)
    return User.objects.annotate(
        has_second_factor=Exists(devices),
        keeps_lists=Exists(OwnList.objects.filter(user=OuterRef("pk"))),
        needs_second_factor=ExpressionWrapper(needed, output_field=BooleanField()),
    )


def session_lacks(user: Any) -> Lacks:
    """Return what the session of ``user`` lacks; a user without a session is looked up."""
    if not isinstance(user, User) or getattr(user, "otp_device", None) is not None:
        return Lacks.NOTHING
    if not hasattr(user, "has_second_factor"):
        return _lacks(person_with_second_factor(user.pk))
    return _lacks(user)


def _lacks(user: Any) -> Lacks:
    if user.has_second_factor:
        return Lacks.CODE
    return Lacks.ENROLMENT if user.needs_second_factor else Lacks.NOTHING


def second_factor_of(user: User) -> SecondFactor | None:
    device: SecondFactor | None = SecondFactor.objects.filter(user=user, confirmed=True).first()
    return device


def second_factor_begun(user: User) -> SecondFactor | None:
    """Return a second factor that is not confirmed with a code yet."""
    rows = SecondFactor.objects.filter(user=user, confirmed=False)
    device: SecondFactor | None = rows.order_by("-pk").first()
    return device


def second_factor_needed_by(user: User) -> list[str]:
    """Return by what the person needs a second factor: names of groups; empty without need."""
    listed = Group.objects.filter(user=user, second_factor_requirement__isnull=False)
    needed_by = set(listed.values_list("name", flat=True))
    if not settings.LOANOFFICE_SECOND_FACTOR_REQUIRED:
        return sorted(needed_by)
    needed_by |= set(_deciding_groups().filter(user=user).values_list("name", flat=True))
    beside = ["superuser"] if user.is_superuser else []
    if _deciding_permissions_of(user.pk).exists():
        beside.append("permissions of your own")
    return [*sorted(needed_by), *beside]


def invitation_open(user: User) -> Invitation | None:
    """Return a person's invitation that was not accepted and is not too old."""
    rows = Invitation.objects.filter(user=user, expires_at__gt=timezone.now())
    return rows.select_related("invited_by").first()


def _deciding_groups() -> "QuerySet[Group]":
    grants = Group.permissions.through.objects.exclude(permission__codename__in=HARMLESS)
    return Group.objects.filter(Exists(grants.filter(group=OuterRef("pk"))))


def _deciding_permissions_of(user: Any) -> "QuerySet[Any]":
    own = User.user_permissions.through.objects.filter(user=user)
    return own.exclude(permission__codename__in=HARMLESS)


def sign_ins(user: User, *, most: int = 10) -> QuerySet[AuditEntry]:
    """Return the latest sign-ins under this name, failed ones too, for the person to check."""
    rows = AuditEntry.objects.filter(who=user.get_username(), action__in=SIGN_INS)
    return rows[:most]


def is_known_address(*, username: str, address: str | None) -> bool:
    """Return true when this person signed in from this address within the last month."""
    if not username or not address:
        return False
    return AuditEntry.objects.filter(
        who=username,
        at__gte=timezone.now() - KNOWN_FOR,
        action=Action.SIGNED_IN,
        address=address,
    ).exists()
