"""Record sign-ins and sign-outs in the audit log and the log."""

import logging
from datetime import timedelta
from typing import cast

from axes.handlers.proxy import AxesProxyHandler
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.errors import OnlySuperusers, PasswordRefused
from audit.models import Action, AuditEntry
from audit.services import entry_record
from audit.tracing import client_address, user_agent

logger = logging.getLogger(__name__)
SIGNED_IN_AT, ACTIVE_AT = "signed_in_at", "active_at"
ADDRESS, USER_AGENT = "address", "user_agent"  # of the sign-in, for the list of sessions
# Failures under unknown names are recorded at intervals only: they cost an attacker nothing.
UNKNOWN_EVERY = timedelta(minutes=1)
LOCKED_EVERY = timedelta(minutes=15)


class SignInRequest(HttpRequest):
    """A request with what the sign-in leaves for its middleware and for the lockouts."""

    signed_in_now: int  # the person's primary key
    asked_again: bool


def signed_in(*, request: HttpRequest, user: User) -> None:
    now = timezone.now().timestamp()
    request.session[SIGNED_IN_AT] = request.session[ACTIVE_AT] = now
    request.session[ADDRESS] = client_address.get()
    request.session[USER_AGENT] = user_agent.get()[:300]
    cast("SignInRequest", request).signed_in_now = user.pk
    entry_record(action=Action.SIGNED_IN, message="Signed in.", actor=user, target=user)


def signed_out(*, user: User, why: str = "") -> None:
    entry_record(action=Action.SIGNED_OUT, message=why or "Signed out.", actor=user, target=user)


def password_check(*, request: HttpRequest, user: User, password: str) -> str:
    """Check one's own password within a session; returns its hash. Raises ``PasswordRefused``.

    A wrong one counts as a failed sign-in does, towards the same lockout.
    """
    cast("SignInRequest", request).asked_again = True
    name = user.get_username()
    found = authenticate(request, username=name, password=password)
    if not isinstance(found, User) or found != user:
        raise PasswordRefused
    AxesProxyHandler.get_implementation().reset_user_attempts(request, {"username": name})
    return found.password


def sign_in_failed(*, username: str, again: bool = False) -> None:
    """Record a wrong name or password. The name is stored only where it is a user's.

    Some people type their password into the field of the name. ``again``: it was asked for in a
    session, of who had signed in.
    """
    logger.warning("Sign-in failed", extra={"address": client_address.get()})
    user = User.objects.filter(username=username).first()
    if user is None and _noted("", Action.SIGN_IN_FAILED, UNKNOWN_EVERY):
        return
    message = "Sign-in failed." if user else "Sign-in failed: there is no such username."
    entry_record(
        action=Action.SIGN_IN_FAILED,
        message="The password was refused when asked for again." if again else message,
        who=username if user else "",
        target=user,
    )


def locked_out(*, username: str) -> None:
    """Record a lockout: once for each."""
    user = User.objects.filter(username=username).first()
    who = username if user is not None else ""
    if _noted(who, Action.LOCKED_OUT, LOCKED_EVERY):
        return
    logger.warning("Locked out", extra={"address": client_address.get(), "username": who})
    entry_record(
        action=Action.LOCKED_OUT,
        message="Locked out after repeated failures.",
        who=who,
        target=user,
    )


def password_changed(*, user: User) -> None:
    """Record a change of one's own password."""
    entry_record(action=Action.PASSWORD, message="Changed the password.", actor=user, target=user)


@transaction.atomic
def lockout_lift(*, username: str, by: User) -> int:
    """Delete the failures under a name, from everywhere. Raises ``OnlySuperusers``."""
    if not by.is_superuser:
        raise OnlySuperusers
    count: int = AxesProxyHandler.reset_attempts(username=username)
    entry_record(
        action=Action.UNLOCKED,
        message=f"Lifted the lockout of {username}.",
        actor=by,
        target=User.objects.filter(username=username).first(),
        details={"username": username},
    )
    return count


def _noted(who: str, action: Action, within: timedelta) -> bool:
    """True when the same was recorded from the same address a moment ago."""
    return AuditEntry.objects.filter(
        who=who,
        at__gte=timezone.now() - within,
        action=action,
        address=client_address.get() or None,
    ).exists()
