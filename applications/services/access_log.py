"""Record views, reveals and downloads of application data in the audit log.

A view is recorded once in fifteen minutes for one person, one application and one interface
(admin or API), so that reloading a page adds no entries. A page's own polling, once a second, is
not a view.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction

from applications.models import Document, LoanApplication
from audit.masking import mask, mask_email
from audit.models import Action
from audit.selectors import was_recorded
from audit.services import entry_record
from core.errors import NotPermitted

ONE_LOOK = timedelta(minutes=15)
REVEAL = "applications.reveal_contact"
DOWNLOAD = ("applications.view_document", REVEAL)
OPENED = "Opened the application."
READ = "Read the application through the API."


def application_viewed(
    *, application: LoanApplication, user: User, contact_shown: bool = False
) -> None:
    """Record that ``user`` opened the application, and if contact details were unmasked."""
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
    """Record that ``user`` read one application, or its timeline, through the API."""
    if not _seen_lately(user, READ, reference):
        entry_record(action=Action.VIEWED, message=READ, actor=user, reference=reference)


def _seen_lately(user: User, message: str, reference: str) -> bool:
    return was_recorded(
        actor=user, action=Action.VIEWED, message=message, reference=reference, within=ONE_LOOK
    )


def applications_read(*, user: User, references: list[str], query: Mapping[str, object]) -> None:
    """Record that ``user`` read a page of the API's list: one entry per page, with its contents."""
    entry_record(
        action=Action.VIEWED,
        message=f"Read a list of {len(references)} applications through the API.",
        actor=user,
        details={"query": dict(query), "references": references},
    )


@transaction.atomic
def contact_reveal(*, application: LoanApplication, user: User) -> None:
    """Record that contact details, income and SIN are revealed: one entry each time.

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


def contact_searched(*, user: User, term: str, references: Sequence[str]) -> None:
    """Record that ``user`` searched among contact details, and what was found: one entry each time.

    ``term`` is the phone number or e-mail address; it is stored masked. Raises ``NotPermitted``.
    """
    if not user.has_perm(REVEAL):
        raise NotPermitted(
            "A phone number or an e-mail address is searched for by those who may have contact "
            "details shown."
        )
    by_mail = "@" in term
    what = "an e-mail address" if by_mail else "a phone number"
    entry_record(
        action=Action.REVEALED,
        message=f"Searched the applications for {what}.",
        actor=user,
        details={
            "searched": mask_email(term) if by_mail else mask(term),
            "references": list(references),
        },
    )


def download_check(*, user: User) -> None:
    """Raise ``NotPermitted`` unless ``user`` may open documents.

    A letter has the applicant's address, a pay slip the income: they are opened by those who may
    have these revealed.
    """
    if not user.has_perms(DOWNLOAD):
        raise NotPermitted("You may not open documents: they contain contact details and income.")


def document_downloaded(*, document: Document, user: User, in_place: bool = False) -> None:
    """Record a download or a preview, one entry each time. Raises ``NotPermitted``."""
    download_check(user=user)
    did = "Previewed" if in_place else "Downloaded"
    entry_record(
        action=Action.DOWNLOADED,
        message=f"{did} {document.get_kind_display().lower()} “{document.original_name}”.",
        actor=user,
        target=document,
        reference=document.application.reference,
        details={"sha256": document.sha256},
    )


def documents_linked(*, reference: str, documents: Sequence[Document], user: User) -> None:
    """Record that the API gives ``user`` links to files, which need no key until they expire.

    Raises ``NotPermitted``.
    """
    download_check(user=user)
    entry_record(
        action=Action.DOWNLOADED,
        message=f"Had links to {len(documents)} documents made through the API.",
        actor=user,
        reference=reference,
        details={"documents": [document.public_id for document in documents]},
    )
