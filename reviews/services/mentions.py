"""Notify whoever a note on an application mentions."""

from applications.models import ApplicationNote
from reviews.choices import NotificationKind
from reviews.services.notifications import Content, notifications_add


def mentions_notify(*, note: ApplicationNote) -> None:
    """Write the notification of each person whom the note mentions, but its author."""
    if note.notified:
        content = Content(NotificationKind.MENTION, mention_sentence(note), mention_path(note))
        notifications_add(key=mention_key(note), content=content, people=note.notified)


def mention_key(note: ApplicationNote) -> str:
    return f"note/{note.pk}"


def mention_sentence(note: ApplicationNote) -> str:
    """Say who mentioned them and where; what the note says is read there."""
    author = note.author.get_full_name() or note.author.get_username()
    return f"{note.application.reference}: {author} mentioned you in a note."


def mention_path(note: ApplicationNote) -> str:
    return f"/admin/applications/loanapplication/{note.application_id}/change/#note-{note.pk}"
