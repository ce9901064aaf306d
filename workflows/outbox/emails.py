"""Letters: who gets one and what it says. Sent by the outbox; addresses are looked up late.

An outbox row holds the numbers of a task, an application or a user, never an address. Of a letter
that was sent it keeps the subject, the text (unless that is for its reader only) and the address,
masked (``on_record``). A letter to many is one row for each of them, so that a letter which got
through is not sent again because another did not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db.models import TextChoices
from django.utils import timezone

from applications.choices import Status
from applications.models import LoanApplication
from audit.masking import mask_email
from audit.times import day, moment, zone_sentence
from core.site_urls import site_url
from reviews.choices import TaskKind, TaskStatus
from reviews.kinds import REVIEW_KINDS
from reviews.models import ReviewTask
from reviews.services.deciders import people_above, people_to_ask


class Notice(TextChoices):
    """Reason for an e-mail to deciders."""

    OPENED = "opened", "Opened"
    DUE = "due", "Due"
    ESCALATED = "escalated", "Escalated"


CLOSING = {
    Status.FUNDED: "Your loan is funded.",
    Status.DECLINED: "We could not approve your application.",
    Status.EXPIRED: "Your application expired before it was decided.",
}

# The note of a letter to many, for each of whom another message was written.
SPLIT = "Split"
TO_APPLICANT = "applicant"
# Why nothing was sent.
NO_ADDRESS = "no e-mail address"
NOT_NEEDED = "not needed any more"
NOBODY = "nobody to send it to"


@dataclass(frozen=True)
class Letter:
    """A letter to members of staff: who gets it, and what it says to one of them (``user``)."""

    recipients: Callable[[dict[str, Any]], list[int]]
    build: Callable[[dict[str, Any]], EmailMessage | None]
    keeps_text: bool = True  # on record; false where it holds a secret, or what few may read


# Letters of other modules, by what their payload names.
LETTERS: dict[str, Letter] = {}


def recipients(payload: dict[str, Any]) -> list[int] | None:
    """The users that a notice has to be split for; ``None``: it is one letter."""
    if "user" in payload:
        return None
    for letter in _letters(payload):
        return letter.recipients(payload)
    if "task" not in payload:
        return None
    task = ReviewTask.objects.select_related("application__policy").get(pk=payload["task"])
    notice = Notice(payload["notice"])
    if task.status != TaskStatus.OPEN:
        return []
    row = REVIEW_KINDS[TaskKind(task.kind)]
    if row.applicant_mail is not None:
        return None
    asked = people_to_ask(application=task.application, task=task, now=timezone.now())
    if notice == Notice.ESCALATED:
        asked = people_above(asked, task=task)
    return sorted(each.person.pk for each in asked if each.person.email)


def build_email(payload: dict[str, Any]) -> EmailMessage | None:
    """The letter, or ``None`` when it is pointless by now or has nobody to go to."""
    for letter in _letters(payload):
        return letter.build(payload)
    if "task" in payload:
        return _about_task(payload)
    return _about_closing(payload["application"])


def _letters(payload: dict[str, Any]) -> list[Letter]:
    return [letter for name, letter in LETTERS.items() if name in payload]


def _about_task(payload: dict[str, Any]) -> EmailMessage | None:
    task = ReviewTask.objects.select_related("application").get(pk=payload["task"])
    if task.status != TaskStatus.OPEN:
        return None
    application = task.application
    mail = REVIEW_KINDS[TaskKind(task.kind)].applicant_mail
    if mail is not None:
        facts = {"reference": application.reference, "last_day": day(task.expires_at)}
        return letter_to(application.email, mail.subject.format(**facts), mail.body.format(**facts))
    asked = people_to_ask(application=application, task=task, now=timezone.now())
    user = next((each.person for each in asked if each.person.pk == payload["user"]), None)
    if user is None:  # who cannot decide it any more is not asked
        return None
    subject = f"{task.get_kind_display()}: {application.reference}"
    sentences = {
        Notice.OPENED: f"Due {moment(task.due_at)}, expires {moment(task.expires_at)}.",
        Notice.DUE: (
            f"It is due since {moment(task.due_at)} and expires {moment(task.expires_at)}."
        ),
        Notice.ESCALATED: (
            "Half of the time to decide is over. It expires in "
            f"{_span(task.expires_at - timezone.now())}, {moment(task.expires_at)}."
        ),
    }
    notice = Notice(payload["notice"])
    prefix = {Notice.OPENED: "", Notice.DUE: "Reminder: ", Notice.ESCALATED: "Escalated: "}
    return letter_to(
        user.email,
        prefix[notice] + subject,
        f"{application.loan_amount:,.2f} {application.currency} waits for a "
        f"{application.get_waiting_on_display().lower()}. {sentences[notice]}\n"
        + site_url(f"/admin/applications/loanapplication/{application.pk}/change/"),
    )


def _about_closing(reference: str) -> EmailMessage | None:
    application = LoanApplication.objects.get(reference=reference)
    sentence = CLOSING.get(Status(application.status))
    if sentence is None:
        return None
    reasons = "\n".join(reason["text"] for reason in application.decision_reasons)
    return letter_to(
        application.email,
        f"Your application {application.reference}",
        f"{sentence}\n{reasons}".strip(),
    )


def to_applicant(payload: dict[str, Any]) -> bool:
    """Tell whether an e-mail goes to the applicant, and not to staff."""
    return "application" in payload or payload.get("to") == TO_APPLICANT


def why_nothing(payload: dict[str, Any], application: LoanApplication | None) -> str:
    """Return why there was nothing to send to one person."""
    if application is not None and "user" not in payload:
        return NOT_NEEDED if application.email else NO_ADDRESS
    person = User.objects.filter(pk=payload.get("user", 0)).first()
    return NOT_NEEDED if person is None or person.email else NO_ADDRESS


def on_record(payload: dict[str, Any], letter: EmailMessage) -> dict[str, Any]:
    """Return what is kept of an e-mail: its addresses masked, and its text if that may be kept.

    ``who`` is the username of a member of staff.
    """
    keeps = all(kind.keeps_text for kind in _letters(payload))
    names = User.objects.filter(pk=payload["user"]) if "user" in payload else User.objects.none()
    return {
        "who": names.values_list("username", flat=True).first() or "",
        "to": [mask_email(address) for address in letter.to],
        "subject": str(letter.subject),
        "text": str(letter.body) if keeps else None,
    }


def letter_to(to: str | list[str], subject: str, body: str) -> EmailMessage | None:
    """A letter to these addresses, which names the time zone; ``None`` without an address.

    Every e-mail of the product is made here.
    """
    addresses = [address for address in ([to] if isinstance(to, str) else to) if address]
    if not addresses:
        return None
    body = f"{body}\n\n{zone_sentence()}"
    return EmailMessage(subject, body, settings.DEFAULT_FROM_EMAIL, addresses)


def _span(left: timedelta) -> str:
    hours = max(0, round(left.total_seconds() / 3600))
    if hours >= 48:
        return f"{round(hours / 24)} days"
    return f"{hours} hour{'' if hours == 1 else 's'}"
