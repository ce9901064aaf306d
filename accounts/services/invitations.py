"""Invite a person to set password and second factor together, and accept an invitation.

An invitation is for somebody who has not come in yet. It never replaces what a person signs in
with: one superuser could take an account over with it. Where that has to be replaced, a superuser
takes it away first, by acts about which the person and all superusers get a mail.
"""

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from accounts.errors import AccountsError, InvitationOver, NotToInvite, OnlySuperusers
from accounts.invitation_tokens import invitation_of
from accounts.models import Invitation
from accounts.selectors import second_factor_of
from accounts.services import second_factor
from accounts.services.access import access_check
from accounts.services.sessions import sessions_end_others
from accounts.signals import account_changed, invitation_made
from audit.models import Action
from audit.services import entry_record
from core.locking import locked


def invitation_check(*, user: User, by: User) -> None:
    """Raise ``OnlySuperusers`` or ``NotToInvite`` unless ``by`` may invite ``user`` now."""
    access_check(by=by)
    name = user.get_username()
    if not user.is_active:
        raise NotToInvite(f"{name} is not active.")
    if not user.is_staff:
        raise NotToInvite(f"{name} has no role yet, and could not sign in. Give one first.")
    if not user.email:
        raise NotToInvite(f"{name} has no e-mail address. Enter one first.")
    if second_factor_of(user) is not None:
        raise NotToInvite(
            f"{name} has a second factor, which an invitation would replace. If the person lost "
            "it, reset it first."
        )
    if user.has_usable_password() and user.last_login is not None:
        raise NotToInvite(
            f"{name} signs in with a password, which an invitation would replace. If the person "
            "forgot it, disable it first, on the page of the password."
        )


@transaction.atomic
def invitation_send(*, user: User, by: User) -> Invitation:
    """Invite a person by mail; an invitation before this one ends.

    Raises ``OnlySuperusers``, ``NotToInvite``.
    """
    people = {each.pk: each for each in locked(User.objects.filter(pk__in=[user.pk, by.pk]))}
    if user.pk not in people or by.pk not in people:
        raise OnlySuperusers
    user, by = people[user.pk], people[by.pk]
    invitation_check(user=user, by=by)
    Invitation.objects.filter(user=user).delete()
    now = timezone.now()
    invitation = Invitation.objects.create(
        user=user,
        invited_by=by,
        invited_at=now,
        expires_at=now + settings.LOANOFFICE_INVITATION_LIFE,
    )
    entry = entry_record(
        action=Action.INVITED,
        message=f"{user} was invited to set a password and a second factor.",
        actor=by,
        target=user,
        details={"until": invitation.expires_at},
    )
    account_changed.send(sender=User, entry=entry)
    invitation_made.send(sender=Invitation, invitation=invitation)
    return invitation


def invitation_accept(*, pk: int, token: str, secret: str, password: str, code: str) -> list[str]:
    """Set password and second factor together, or neither; return the recovery codes.

    Raises ``InvitationOver``, ``CodeRefused``, ``TooManyCodes``.
    """
    found = invitation_of(pk=pk, token=token)
    if found is None:
        raise InvitationOver
    second_factor.wait_check(user=found.user)
    # Before the transaction: it takes half a second, in which nothing should be locked.
    password_hash = make_password(password)
    with transaction.atomic():
        list(locked(User.objects.filter(pk=found.user_id)))
        invitation = invitation_of(pk=pk, token=token)
        if invitation is None:
            raise InvitationOver
        user = invitation.user
        codes = second_factor.secret_confirm(user=user, secret=secret, code=code)
        if not isinstance(codes, AccountsError):
            _accepted(invitation, password_hash)
    if isinstance(codes, AccountsError):
        raise codes  # after the commit: a failure counts
    return codes


def _accepted(invitation: Invitation, password_hash: str) -> None:
    user = invitation.user
    user.password = password_hash
    user.save(update_fields=["password"])
    invitation.delete()
    entry_record(
        action=Action.INVITED,
        message=f"Accepted the invitation of {invitation.invited_by}: set a password and a second "
        "factor.",
        actor=user,
        target=user,
    )
    sessions_end_others(user=user, this=None)
