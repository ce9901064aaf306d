"""The letter of an invitation, with the link that is made when the letter is.

The outbox row holds the number of the invitation; the token of the link is stored nowhere. Loaded
where accounts are installed.
"""

from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.dispatch import receiver
from django.urls import reverse
from django.utils import timezone

from accounts.invitation_tokens import token_of
from accounts.models import Invitation
from accounts.signals import invitation_made
from audit.times import moment
from core.site_urls import site_url_of
from workflows.models import OutboxMessage
from workflows.outbox import queue
from workflows.outbox.letters import LETTERS, Letter, Recipient, Weight, letter_to

# The function whose key the page of the invitation has; the empty name has everything.
SIGNS = ("", "web")


class OtherFunctionSigns(RuntimeError):
    """This process would sign the link with another key than the page checks it with."""


@receiver(invitation_made)
def tell_invited(invitation: Invitation, **_: Any) -> None:
    queue.put(
        kind=OutboxMessage.Kind.EMAIL,
        key=f"invitation/{invitation.pk}",
        payload={"invitation": invitation.pk},
    )


def audience(payload: dict[str, Any]) -> list[Recipient]:
    """Return the person who is invited; nobody when the invitation is over."""
    rows = Invitation.objects.filter(pk=payload["invitation"], expires_at__gt=timezone.now())
    return [Recipient(person, Weight.ALWAYS) for person in rows.values_list("user_id", flat=True)]


def build_email(payload: dict[str, Any]) -> EmailMessage | None:
    """Return the letter with a link; ``None`` when the invitation is over.

    Raises ``OtherFunctionSigns``: the message waits for the sweep of the web function.
    """
    if settings.LOANOFFICE_FUNCTION not in SIGNS:
        raise OtherFunctionSigns("Only the web function can sign the link of an invitation.")
    rows = Invitation.objects.select_related("user", "invited_by")
    invitation = rows.filter(pk=payload["invitation"], expires_at__gt=timezone.now()).first()
    if invitation is None or not invitation.user.is_active:
        return None
    by, days = invitation.invited_by, settings.LOANOFFICE_INVITATION_LIFE.days
    link = reverse("account:invitation_link", args=[invitation.pk, token_of(invitation)])
    lines = [
        f"{by.get_full_name() or by.get_username()} invites you to Loan Office. "
        f"Your username is {invitation.user.get_username()}.",
        "",
        "Open this page:",
        site_url_of(link),
        "",
        "1. Choose a password.",
        "2. Scan the picture with an authenticator app on your telephone, and enter the code "
        "that the app shows.",
        "",
        "Then sign in with both.",
        "",
        f"The link works once, until {moment(invitation.expires_at)}, which is {days} "
        "days after you were invited. A newer invitation ends it. Give it to nobody.",
        "If you did not expect this, leave the link alone and tell an administrator.",
    ]
    return letter_to(invitation.user.email, "You are invited to Loan Office", "\n".join(lines))


LETTERS["invitation"] = Letter(audience, build_email, keeps_text=False)
