"""Make and check short-lived links to documents, which need no key until they expire.

Storage that signs links (S3) serves the file itself; else the link leads to ``DocumentFileView``
and is signed here. Either way the browser downloads the file and does not display it.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.core.signing import BadSignature, SignatureExpired, TimestampSigner
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from applications.api.errors import LinkExpired
from applications.models import Document

NOT_THERE = "There is nothing at this address."
# The separator occurs in no reference, kind, key or signature.
SIGNER = TimestampSigner(salt="applications.api.document_links", sep="~")


@dataclass(frozen=True)
class Link:
    url: str
    expires_at: datetime


def link_to(document: Document, *, reference: str, request: Request) -> Link:
    """Make a link that expires ``LOANOFFICE_DOCUMENT_LINK_LIFE`` from now."""
    life = settings.LOANOFFICE_DOCUMENT_LINK_LIFE
    expires_at = timezone.now() + life
    if settings.LOANOFFICE_STORAGE_SIGNS_LINKS:
        return Link(_signed_by_storage(document, seconds=int(life.total_seconds())), expires_at)
    token = SIGNER.sign(f"{reference}.{document.kind}.{document.key}")
    return Link(request.build_absolute_uri(reverse("api:document", args=[token])), expires_at)


def document_at(token: str) -> Document:
    """Return the document of a link signed here. Raises ``LinkExpired``, ``NotFound``."""
    try:
        named = SIGNER.unsign(token, max_age=settings.LOANOFFICE_DOCUMENT_LINK_LIFE)
    except SignatureExpired as expired:
        raise LinkExpired from expired
    except BadSignature as error:
        raise NotFound(NOT_THERE) from error
    reference, kind, key = named.split(".")
    found = Document.objects.filter(application__reference=reference, kind=kind, key=key).first()
    if found is None:
        raise NotFound(NOT_THERE)
    return found


def _signed_by_storage(document: Document, *, seconds: int) -> str:
    url: str = document.file.storage.url(  # type: ignore[call-arg]
        str(document.file.name),
        parameters={
            "ResponseContentDisposition": content_disposition_header(
                as_attachment=True, filename=document.original_name
            ),
            "ResponseContentType": document.content_type,
            "ResponseCacheControl": "private, no-store",
        },
        expire=seconds,
    )
    return url
