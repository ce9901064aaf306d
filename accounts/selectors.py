"""Reads about sign-in: what a session still lacks, what an account page shows."""

from datetime import timedelta
from enum import Enum
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from accounts.models import RequiredSecondFactor, SecondFactor
from audit.models import Action, AuditEntry

KNOWN_FOR = timedelta(days=30)
SIGN_INS = (Action.SIGNED_IN, Action.SIGN_IN_FAILED, Action.LOCKED_OUT, Action.SIGNED_OUT)


class Lacks(Enum):
    """The second factor that a session lacks before it may do anything."""

    NOTHING = "nothing"
    CODE = "code"  # the person has a second factor, and this session has not shown it
    ENROLMENT = "enrolment"  # a group of theirs needs one, and they have none


def with_second_factor(users: "QuerySet[User]") -> "QuerySet[User]":
    """Annotate users with what ``session_lacks`` needs, without a further query."""
    devices = SecondFactor.objects.filter(user=OuterRef("pk"), confirmed=True)
    needed = RequiredSecondFactor.objects.filter(group__user=OuterRef("pk"))
    return users.annotate(has_second_factor=Exists(devices), needs_second_factor=Exists(needed))


def session_lacks(user: Any) -> Lacks:
    """Return what the session of ``user`` lacks; a user without a session is looked up."""
    if not isinstance(user, User) or getattr(user, "otp_device", None) is not None:
        return Lacks.NOTHING
    if not hasattr(user, "has_second_factor"):
        found = with_second_factor(User.objects.all()).get(pk=user.pk)
        return _lacks(found)
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


def groups_that_need_one(user: User) -> list[str]:
    rows = RequiredSecondFactor.objects.filter(group__user=user)
    return list(rows.values_list("group__name", flat=True))


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
