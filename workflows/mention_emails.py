"""Tell by mail whoever a note mentions and chose each e-mail at once; a digest has it for others.

Loaded where accounts are installed: the functions on AWS add no notes.
"""

from typing import Any

from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.dispatch import receiver

from applications.models import ApplicationNote
from applications.services.notes import SEE
from applications.signals import note_added
from core.site_urls import site_url
from reviews.choices import NotificationKind
from reviews.services.mail_choices import mail_modes
from reviews.services.mentions import mention_key, mention_path, mention_sentence
from workflows.models import OutboxMessage
from workflows.outbox import queue
from workflows.outbox.letters import LETTERS, Letter, Recipient, Weight, letter_to
from workflows.outbox.splitting import AT_ONCE


@receiver(note_added)
def tell_mentioned(note: ApplicationNote, **_: Any) -> None:
    """Queue the letter if somebody whom the note mentions wants it at once; mostly nobody does."""
    if not note.notified:
        return
    modes = mail_modes(people=note.notified).values()
    if any(Weight.ROUTINE in AT_ONCE[mode] for mode in modes):
        queue.put(
            kind=OutboxMessage.Kind.EMAIL,
            key=mention_key(note),
            payload={"mention": note.pk},
            application_id=note.application_id,
        )


def audience(payload: dict[str, Any]) -> list[Recipient]:
    """Return whom the note mentions; the bell has it since the note was written."""
    note = ApplicationNote.objects.get(pk=payload["mention"])
    return [Recipient(person, Weight.ROUTINE) for person in note.notified]


def build_email(payload: dict[str, Any]) -> EmailMessage | None:
    """The letter to one person, without the note's text; ``None`` for who may not see it now."""
    person = User.objects.filter(pk=payload["user"], is_active=True, is_staff=True).first()
    if person is None or not person.has_perm(SEE):
        return None
    note = ApplicationNote.objects.select_related("application", "author").get(
        pk=payload["mention"]
    )
    return letter_to(
        person.email,
        f"{NotificationKind.MENTION.label}: {note.application.reference}",
        f"{mention_sentence(note)}\n{site_url(mention_path(note))}",
    )


LETTERS["mention"] = Letter(audience, build_email)
