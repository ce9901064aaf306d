"""Models of the documents of an application, and of uploads without a document."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from applications.choices import DocumentKind
from applications.file_types import FILE_TYPES
from applications.models.application import LoanApplication
from partners.models import Partner


def document_path(document: "Document", filename: str) -> str:
    """Return the storage path of a document; only the suffix of the given name is used."""
    suffix = filename.rsplit(".", 1)[-1].lower() if "." in filename else "bin"
    return f"applications/{document.application.reference}/{document.kind}-{document.key}.{suffix}"


class Document(models.Model):
    """A file of an application: added by staff or a partner, or a letter made by the workflow."""

    Kind = DocumentKind

    application = models.ForeignKey(
        LoanApplication, on_delete=models.PROTECT, related_name="documents"
    )
    kind = models.CharField(max_length=30, choices=Kind.choices)
    key = models.CharField(max_length=64, editable=False)
    file = models.FileField(upload_to=document_path, max_length=300)
    original_name = models.CharField(max_length=255)
    content_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField(help_text="Bytes.")
    sha256 = models.CharField(max_length=64)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    partner = models.ForeignKey(
        Partner,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,  # a partner's documents are only selected by application
        help_text="Who sent it; a letter that we made was sent by nobody.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["application", "kind", "key"], name="document_once_per_key"
            ),
        ]

    def __str__(self) -> str:
        return self.original_name

    @property
    def public_id(self) -> str:
        """Return the document's id for partners, unique within the application."""
        return f"{self.kind}-{self.key}"

    @property
    def is_previewed(self) -> bool:
        """Tell whether a browser shows files of this type in place."""
        return any(self.content_type == each.media_type for each in FILE_TYPES)


class StoredUpload(models.Model):
    """A file that is stored, or about to be, and that belongs to no document yet.

    The row is committed before the file is stored, and deleted in the transaction that writes
    the document, so every file in storage is named by a document or a row here. Once
    ``given_up_at`` is set no document can take the file: it is deleted, and then the row.
    """

    path = models.CharField(max_length=300, unique=True)
    begun_at = models.DateTimeField(default=timezone.now)
    given_up_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["begun_at"], name="stored_upload_by_age")]

    def __str__(self) -> str:
        return self.path
