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
from reviews.choices import NotificationKind
from reviews.services.notifications import Content, notifications_close
from workflows.models import OutboxMessage
from workflows.outbox import queue
from workflows.outbox.letters import LETTERS, Letter, Recipient, Weight, letter_to


class Notice(TextChoices):
    """Reason for an e-mail about a proposal."""

    OPENED = "opened", "Opened"
    CLOSED = "closed", "Closed"


@receiver(proposal_opened)
def tell_confirmers(proposal: Proposal, **_: Any) -> None:
    _queue(proposal, Notice.OPENED)


@receiver(proposal_closed)
def tell_proposer(proposal: Proposal, **_: Any) -> None:
    notifications_close(subject=_subject(proposal))
    _queue(proposal, Notice.CLOSED)


def _queue(proposal: Proposal, notice: Notice) -> None:
    queue.put(
        kind=OutboxMessage.Kind.EMAIL,
        key=f"proposal/{proposal.pk}/{notice}",
        payload={"proposal": proposal.pk, "notice": notice},
    )


def audience(payload: dict[str, Any]) -> list[Recipient]:
    """The people who get the letter: all who may confirm, or the proposer."""
    proposal = Proposal.objects.get(pk=payload["proposal"])
    if payload["notice"] == Notice.OPENED:
        if proposal.status != Proposal.Status.OPEN:
            return []
        waits = _content(NotificationKind.TO_CONFIRM, proposal, f"To confirm: {proposal.title}")
        people = proposals.confirmers_of_proposal(proposal)
        weight = Weight.URGENT if len(people) == 1 else Weight.ROUTINE
        return [Recipient(person.pk, weight, waits) for person in people]
    proposer, decided_by = proposal.proposed_by_id, proposal.decided_by_id
    if proposer is None or proposer == decided_by:
        return []
    is_done = proposal.status == Proposal.Status.CONFIRMED
    kind = NotificationKind.PROPOSAL_CLOSED if is_done else NotificationKind.SENT_BACK
    said = f"{proposal.get_status_display()}: {proposal.title}"
    weight = Weight.ROUTINE if is_done else Weight.URGENT
    return [Recipient(proposer, weight, _content(kind, proposal, said))]


def _content(kind: NotificationKind, proposal: Proposal, said: str) -> Content:
    # One that waits is over when the proposal is closed; how it ended stays until it is read.
    waits = kind == NotificationKind.TO_CONFIRM
    return Content(kind, said, _path(proposal), subject=_subject(proposal) if waits else "")


def _subject(proposal: Proposal) -> str:
    return f"proposal/{proposal.pk}"


def _path(proposal: Proposal) -> str:
    return f"/admin/accounts/proposal/{proposal.pk}/change/"


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
    return letter_to(person.email, subject, f"{said}\n{site_url(_path(proposal))}".strip())


LETTERS["proposal"] = Letter(audience, build_email)
