"""Letters: who gets one and what it says. Sent by the outbox; addresses are looked up late.

An outbox row holds the numbers of a task, an application or a user, never an address. Of a letter
that was sent it keeps the subject, the text (unless that is for its reader only) and the address,
masked (``on_record``). A letter to many is one row for each of them (``splitting``), so that a
letter which got through is not sent again because another did not.
"""

from typing import Any

from django.contrib.auth.models import User
from django.core.mail import EmailMessage

from applications.choices import Status
from applications.models import LoanApplication
from audit.masking import mask_email
from workflows.outbox import task_letters
from workflows.outbox.letters import LETTERS, Letter, Recipient, letter_to

CLOSING = {
    Status.FUNDED: "Your loan is funded.",
    Status.DECLINED: "We could not approve your application.",
    Status.EXPIRED: "Your application expired before it was decided.",
}

TO_APPLICANT = "applicant"
# Why nothing was sent.
NO_ADDRESS = "no e-mail address"
NOT_NEEDED = "not needed any more"


def audience(payload: dict[str, Any]) -> list[Recipient] | None:
    """Return the users that a notice has to be split for; ``None``: it is one letter."""
    if "user" in payload:
        return None
    for letter in _letters(payload):
        return letter.audience(payload)
    return task_letters.audience(payload) if "task" in payload else None


def build_email(payload: dict[str, Any]) -> EmailMessage | None:
    """The letter, or ``None`` when it is pointless by now or has nobody to go to."""
    for letter in _letters(payload):
        return letter.build(payload)
    if "task" in payload:
        return task_letters.build_email(payload)
    return _about_closing(payload["application"])


def _letters(payload: dict[str, Any]) -> list[Letter]:
    return [letter for name, letter in LETTERS.items() if name in payload]


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
