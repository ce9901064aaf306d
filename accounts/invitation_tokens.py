"""Tokens of invitations: made for a mail, checked by its page, and stored nowhere."""

from django.contrib.auth.models import AbstractBaseUser, User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.utils import timezone

from accounts.models import Invitation
from accounts.selectors import second_factor_of


class InvitationTokens(PasswordResetTokenGenerator):
    """Sign the state that an invitation was made for: any change of it ends the token."""

    key_salt = "accounts.invitation_tokens.InvitationTokens"

    def _make_hash_value(self, user: AbstractBaseUser, timestamp: int) -> str:
        if not isinstance(user, User):
            raise TypeError("an invitation is of a user")
        invitation = Invitation.objects.filter(user=user).first()
        device = second_factor_of(user)
        state = (
            invitation and (invitation.pk, invitation.invited_at.isoformat()),
            user.pk,
            user.password,
            user.last_login and user.last_login.isoformat(),
            user.email,
            user.is_active,
            user.is_staff,
            device and device.pk,
            timestamp,
        )
        return repr(state)


TOKENS = InvitationTokens()


def token_of(invitation: Invitation) -> str:
    """Return a token for the letter."""
    return TOKENS.make_token(invitation.user)


def invitation_of(*, pk: int, token: str) -> Invitation | None:
    """Return the invitation that this token opens now, if it does."""
    rows = Invitation.objects.select_related("user", "invited_by")
    invitation = rows.filter(pk=pk, expires_at__gt=timezone.now()).first()
    if invitation is None or not TOKENS.check_token(invitation.user, token):
        return None
    return invitation
