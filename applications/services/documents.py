"""Validate, store and add uploaded documents, and delete files that no document took.

Storage is outside of the database. So a file is stored before the transaction that writes its
document, under a random path that a ``StoredUpload`` row names by then:

1. ``upload_read`` validates the file. Nothing is stored yet.
2. ``upload_store`` commits the path, then stores the file there.
3. ``document_add`` writes the document and deletes the row, in one transaction.
4. ``upload_settle`` deletes the file if no document has taken it: refused, rolled back, or a
   repeated request under an idempotency key.

A process that crashes between 2 and 4 leaves a row that names the file; the sweep deletes both
an hour later (``uploads_forget``). A file is inspected and never executed, and not scanned for
viruses: that is up to a scanner of the bucket, or to the reader.
"""

import hashlib
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import File
from django.core.files.storage import Storage
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from applications.choices import DocumentKind, Status
from applications.errors import ApplicationNotOpen, InvalidDocument, TooManyDocuments
from applications.file_types import ENDS, clean_name, disagreement, type_of
from applications.locking import application_lock
from applications.models import Document, LoanApplication, StoredUpload
from applications.models.documents import document_path
from applications.services.timeline import event_record
from applications.signals import application_changed, application_contributed
from applications.transitions import is_terminal
from core.errors import NotPermitted
from partners.models import Partner, PartnerKey

logger = logging.getLogger(__name__)

UPLOAD = "applications.add_document"
# The kinds that can be uploaded; offer letters are made by the workflow.
UPLOADED_KINDS = tuple(kind for kind in DocumentKind if kind != DocumentKind.OFFER_LETTER)
# The kinds that deciders read: a new one is a new version of the application.
JUDGED_KINDS = (
    DocumentKind.PROOF_OF_IDENTITY,
    DocumentKind.PROOF_OF_INCOME,
    DocumentKind.BANK_STATEMENT,
)
ABANDONED = timedelta(hours=1)  # longer than any request takes
NOT_A_KIND = f"Choose one of: {', '.join(UPLOADED_KINDS)}."
WRONG_TYPE = "Send a PDF, a PNG or a JPEG; the file is none of them."


@dataclass(frozen=True)
class Upload:
    """A validated file. ``name`` is cleaned and ``content_type`` is detected from the content."""

    kind: DocumentKind
    key: str  # random; the path is built from it, never from the name
    name: str
    content_type: str
    size: int  # bytes
    sha256: str
    content: "File[bytes]"


def upload_read(*, kind: str, name: str, declared_type: str, content: "File[bytes]") -> Upload:
    """Read and validate a whole file. Raises ``InvalidDocument``."""
    if kind not in UPLOADED_KINDS:
        raise InvalidDocument({"kind": [NOT_A_KIND]})
    digest, size, head, tail = hashlib.sha256(), 0, b"", b""
    for chunk in content.chunks():
        digest.update(chunk)
        size += len(chunk)
        head = head if len(head) >= ENDS else (head + chunk)[:ENDS]
        tail = (tail + chunk)[-ENDS:]
    if size == 0:
        raise InvalidDocument({"file": ["The file is empty."]})
    if size > settings.LOANOFFICE_DOCUMENT_BYTES:
        raise InvalidDocument({"file": [f"Send at most {largest_text()}."]})
    found = type_of(head=head, tail=tail)
    if found is None:
        raise InvalidDocument({"file": [WRONG_TYPE]})
    if problem := disagreement(found, name=name, declared=declared_type):
        raise InvalidDocument({"file": [problem]})
    return Upload(
        kind=DocumentKind(kind),
        key=secrets.token_hex(16),
        name=clean_name(name, found),
        content_type=found.media_type,
        size=size,
        sha256=digest.hexdigest(),
        content=content,
    )


def upload_store(*, reference: str, upload: Upload) -> str:
    """Store the file; returns its path. Never call it inside a transaction.

    The caller must call ``upload_settle`` afterwards, also after an error.
    """
    path = _path(reference, upload)
    with transaction.atomic(durable=True):
        StoredUpload.objects.create(path=path)
    upload.content.seek(0)
    stored = _storage().save(path, upload.content)
    if stored != path:
        raise RuntimeError(f"storage made {stored} of the random path {path}")
    return path


@transaction.atomic
def document_add(
    *,
    reference: str,
    upload: Upload,
    user: User | None = None,
    partner: Partner | None = None,
    partner_key: PartnerKey | None = None,
) -> Document:
    """Add a stored file to the application as a document.

    A document that deciders read increases ``version``: what was approved before is asked again.

    Raises ``LoanApplication.DoesNotExist``, also for an application of another partner,
    ``NotPermitted``, ``ApplicationNotOpen`` and ``TooManyDocuments``.
    """
    application = application_lock(reference)
    upload_check(application=application, user=user, partner=partner)
    path = _path(reference, upload)
    taken, _ = StoredUpload.objects.filter(path=path, given_up_at=None).delete()
    if not taken:
        raise RuntimeError(f"{path} was not stored, or was given up")
    document = Document.objects.create(
        application=application,
        kind=upload.kind,
        key=upload.key,
        file=path,
        original_name=upload.name,
        content_type=upload.content_type,
        size=upload.size,
        sha256=upload.sha256,
        uploaded_by=user,
        partner=partner,
    )
    event_record(
        application=application,
        kind="document_added",
        message=f"A document was added: {upload.kind.label.lower()} “{upload.name}”.",
        is_internal=partner is None,  # a partner is not shown what staff added
        actor=user,
        partner=partner,
        partner_key=partner_key,
        data={"document": document.public_id, "sha256": upload.sha256, "size": upload.size},
    )
    if upload.kind in JUDGED_KINDS and application.status != Status.DRAFT:
        application.version += 1
        application.save(update_fields=["version", "updated_at"])
        application_changed.send(
            LoanApplication,
            application=application,
            changed=upload.kind.label.lower(),
            user=user,
            partner=partner,
        )
    else:
        application_contributed.send(LoanApplication, application=application)
    return document


@contextmanager
def upload_stored(*, reference: str, user: User, upload: Upload) -> Iterator[None]:
    """Store a file while a member of staff adds its document, and settle it afterwards.

    Raises as ``upload_check``. Never enter it inside a transaction.
    """
    upload_check(application=LoanApplication.objects.get(reference=reference), user=user)
    try:
        upload_store(reference=reference, upload=upload)
        yield
    finally:
        upload_settle(reference=reference, upload=upload)


def upload_check(
    *, application: LoanApplication, user: User | None = None, partner: Partner | None = None
) -> None:
    """Raise the reason why no document can be added to the application now."""
    if user is None and partner is None:
        raise NotPermitted("Somebody has to add a document: a member of staff or a partner.")
    if user is not None and not user.has_perm(UPLOAD):
        raise NotPermitted("You may not add a document.")
    if partner is not None and application.partner_id != partner.pk:
        raise LoanApplication.DoesNotExist
    if is_terminal(application.status):
        raise ApplicationNotOpen(reference=application.reference, status=application.status)
    brought = Document.objects.filter(application=application, kind__in=UPLOADED_KINDS)
    if brought.count() >= settings.LOANOFFICE_DOCUMENTS_MOST:
        raise TooManyDocuments(
            reference=application.reference, most=settings.LOANOFFICE_DOCUMENTS_MOST
        )


def upload_settle(*, reference: str, upload: Upload) -> None:
    """Delete the file unless a document has taken it. After an error the sweep deletes it."""
    path = _path(reference, upload)
    try:
        if _give_up(path, now=timezone.now()):
            _delete(path)
    except Exception:  # of any kind: the response is final, and the sweep will retry
        logger.exception("An upload was left to the sweep", extra={"path": path})


def uploads_forget(*, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` files that no document took in an hour; returns how many.

    Those that storage did not delete come after the others, the last tried at the end.
    """
    forgotten = 0
    old = StoredUpload.objects.filter(begun_at__lte=now - ABANDONED)
    for row in old.order_by(F("given_up_at").asc(nulls_first=True), "pk")[:limit]:
        try:
            if row.given_up_at is not None or _give_up(row.path, now=now):
                _delete(row.path)
                forgotten += 1
        except Exception:  # any error of storage; the other files must not wait for this one
            logger.exception("A file could not be deleted", extra={"path": row.path})
            old.filter(pk=row.pk, given_up_at__isnull=False).update(given_up_at=timezone.now())
    return forgotten


def largest_text() -> str:
    """Return the size limit for sentences, such as "4 MB"."""
    return f"{settings.LOANOFFICE_DOCUMENT_BYTES / 1_000_000:g} MB"


def _give_up(path: str, *, now: datetime) -> bool:
    """Mark a file so that no document can take it; false if one has, or it was marked before."""
    rows = StoredUpload.objects.filter(path=path, given_up_at=None)
    return bool(rows.update(given_up_at=now))


def _delete(path: str) -> None:
    _storage().delete(path)
    StoredUpload.objects.filter(path=path).delete()


def _path(reference: str, upload: Upload) -> str:
    suffix = upload.name.rpartition(".")[2]
    of = LoanApplication(reference=reference)
    return document_path(Document(application=of, kind=upload.kind, key=upload.key), f"x.{suffix}")


def _storage() -> Storage:
    return Document._meta.get_field("file").storage
