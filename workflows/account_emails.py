"""E-mails about a change of an account: to its owner and to every superuser.

The outbox row holds the number of the audit entry, which says what was changed and by whom.
Loaded where accounts are installed.
"""

from typing import Any

from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db.models import Q
from django.dispatch import receiver

from accounts.signals import account_changed
from audit.models import AuditEntry
from audit.times import moment, readable
from core.site_urls import site_url
from workflows.models import OutboxMessage
from workflows.outbox import queue
from workflows.outbox.letters import LETTERS, Letter, Recipient, Weight, letter_to

KIND = "auth.user"


@receiver(account_changed)
def tell_owner_and_superusers(entry: AuditEntry, **_: Any) -> None:
    """Queue the e-mail about an entry; its recipients are found when it is sent."""
    queue.put(
        kind=OutboxMessage.Kind.EMAIL,
        key=f"account/{entry.pk}",
        payload={"entry": entry.pk},
    )


def audience(payload: dict[str, Any]) -> list[Recipient]:
    """Return the owner of the account, if it is one, and the superusers who can sign in."""
    entry = AuditEntry.objects.get(pk=payload["entry"])
    told = Q(is_superuser=True, is_active=True)
    if entry.object_kind == KIND:
        told |= Q(pk=int(entry.object_id))
    people = User.objects.filter(told).order_by("pk")
    return [Recipient(person, Weight.ALWAYS) for person in people.values_list("pk", flat=True)]


def build_email(payload: dict[str, Any]) -> EmailMessage | None:
    """Return the e-mail to one person; ``None`` for one without an address.

    The owner of an account whose address was changed gets it at the earlier address too.
    """
    entry = AuditEntry.objects.get(pk=payload["entry"])
    user = User.objects.get(pk=payload["user"])
    to = {user.email}
    if entry.object_kind == KIND and entry.object_id == str(user.pk):
        before, _ = entry.changes.get("email", ("", ""))
        to.add(before or "")
    changes = [
        f"{name.replace('_', ' ').capitalize()}: {_said(before)} -> {_said(after)}"
        for name, (before, after) in entry.changes.items()
        if name != "password"
    ]
    lines = [
        entry.message,
        *changes,
        f"By {entry.who or 'nobody signed in'}, at {moment(entry.at)}.",
        "",
        "If you did not expect this, tell an administrator at once.",
        site_url("/admin/"),
    ]
    return letter_to(
        sorted(to),
        f"Loan Office: the access of {entry.object_name} was changed",
        "\n".join(lines),
    )


def _said(value: object) -> str:
    """A value as people read it."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return readable(value or "none")


LETTERS["entry"] = Letter(audience, build_email, keeps_text=False)
