"""Who looked at what: opening a case, having its contact details shown, taking a file away.

Looking is said once a quarter of an hour for one person, one case and one door, so that the
log tells who looked without a line for every time a page was read again. What a page asks by
itself once a second is no look.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction

from applications.models import Document, LoanApplication
from audit.models import Action
from audit.selectors import was_recorded
from audit.services import entry_record
from core.errors import NotPermitted

ONE_LOOK = timedelta(minutes=15)
REVEAL = "applications.reveal_contact"
OPENED = "Opened the application."
READ = "Read the application through the API."


def application_viewed(
    *, application: LoanApplication, user: User, contact_shown: bool = False
) -> None:
    """``user`` opened a page of the case; said too: whether contact details stood on it unasked."""
    if not _seen_lately(user, OPENED, application.reference):
        entry_record(
            action=Action.VIEWED,
            message=OPENED,
            actor=user,
            target=application,
            reference=application.reference,
            details={"contact_shown": contact_shown},
        )


def application_read(*, reference: str, user: User) -> None:
    """``user`` read one application, or its timeline, with a staff session at the API."""
    if not _seen_lately(user, READ, reference):
        entry_record(action=Action.VIEWED, message=READ, actor=user, reference=reference)


def _seen_lately(user: User, message: str, reference: str) -> bool:
    return was_recorded(
        actor=user, action=Action.VIEWED, message=message, reference=reference, within=ONE_LOOK
    )


def applications_read(*, user: User, references: list[str], query: Mapping[str, object]) -> None:
    """``user`` read a page of the list at the API: each page is a line, with what was on it."""
    entry_record(
        action=Action.VIEWED,
        message=f"Read a list of {len(references)} applications through the API.",
        actor=user,
        details={"query": dict(query), "references": references},
    )


@transaction.atomic
def contact_reveal(*, application: LoanApplication, user: User) -> None:
    """Have an applicant's contact details, income and SIN shown: each time is a line.

    Raises ``NotPermitted``.
    """
    if not user.has_perm(REVEAL):
        raise NotPermitted("You may not have contact details shown.")
    entry_record(
        action=Action.REVEALED,
        message="Had the contact details shown.",
        actor=user,
        target=application,
        reference=application.reference,
    )


def document_downloaded(*, document: Document, user: User) -> None:
    entry_record(
        action=Action.DOWNLOADED,
        message=f"Downloaded {document.get_kind_display().lower()} “{document.original_name}”.",
        actor=user,
        target=document,
        reference=document.application.reference,
        details={"sha256": document.sha256},
    )


def documents_linked(*, reference: str, documents: Sequence[Document], user: User) -> None:
    """``user`` was given links to files by the API, which anybody may follow for a while."""
    entry_record(
        action=Action.DOWNLOADED,
        message=f"Had links to {len(documents)} documents made through the API.",
        actor=user,
        reference=reference,
        details={"documents": [document.public_id for document in documents]},
    )
