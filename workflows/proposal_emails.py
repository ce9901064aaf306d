"""Tell by mail who may confirm a proposal, and the proposer how it ended.

Loaded where accounts are installed: the functions on AWS have neither people nor proposals.
"""

from typing import Any

from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db.models import TextChoices
from django.dispatch import receiver

from accounts import proposals
from accounts.models import Proposal
from accounts.signals import proposal_closed, proposal_opened
from core.site_urls import site_url
from workflows.models import OutboxMessage
from workflows.outbox import emails, queue


class Notice(TextChoices):
    """Reason for an e-mail about a proposal."""

    OPENED = "opened", "Opened"
    CLOSED = "closed", "Closed"


@receiver(proposal_opened)
def tell_confirmers(proposal: Proposal, **_: Any) -> None:
    _queue(proposal, Notice.OPENED)


@receiver(proposal_closed)
def tell_proposer(proposal: Proposal, **_: Any) -> None:
    _queue(proposal, Notice.CLOSED)


def _queue(proposal: Proposal, notice: Notice) -> None:
    queue.put(
        kind=OutboxMessage.Kind.EMAIL,
        key=f"proposal/{proposal.pk}/{notice}",
        payload={"proposal": proposal.pk, "notice": notice},
    )


def recipients(payload: dict[str, Any]) -> list[int]:
    """The people who get the letter: all who may confirm, or the proposer."""
    proposal = Proposal.objects.get(pk=payload["proposal"])
    if payload["notice"] == Notice.OPENED:
        if proposal.status != Proposal.Status.OPEN:
            return []
        return [person.pk for person in proposals.confirmers_of_proposal(proposal)]
    proposer, decided_by = proposal.proposed_by_id, proposal.decided_by_id
    return [] if proposer is None or proposer == decided_by else [proposer]


def build_email(payload: dict[str, Any]) -> EmailMessage | None:
    """The letter to one person, or ``None`` when it is pointless by now."""
    proposal = Proposal.objects.select_related("proposed_by").get(pk=payload["proposal"])
    person = User.objects.get(pk=payload["user"])
    if not person.is_active:
        return None
    if payload["notice"] == Notice.OPENED:
        if proposal.status != Proposal.Status.OPEN:
            return None
        subject = f"To confirm: {proposal.title}"
        said = f"{proposals.proposer_name(proposal)} proposed it. {proposal.sentence}"
    else:
        subject = f"{proposal.get_status_display()}: {proposal.title}"
        by = "" if proposal.decided_by is None else f"By {proposal.decided_by.get_username()}. "
        said = f"{by}{proposal.result}".strip()
    address = site_url(f"/admin/accounts/proposal/{proposal.pk}/change/")
    return emails.letter_to(person.email, subject, f"{said}\n{address}".strip())


emails.LETTERS["proposal"] = emails.Letter(recipients, build_email)
