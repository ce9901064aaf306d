"""An application's documents in the admin: download, preview, and the action that adds one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import PermissionDenied
from django.core.files.base import File
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from applications.admin.forms import UploadForm
from applications.admin.view_helpers import ApplicationAction, application_or_refuse
from applications.file_types import ENDS, PDF, FileType, type_of
from applications.models import Document, LoanApplication
from applications.services import access_log, documents
from core.admin.base import NoDeleteAdmin, staff
from core.errors import NotPermitted

# Of a preview. An image opens in a sandbox; Chromium shows a PDF in no sandboxed frame, and runs
# its viewer in a process of its own. Both show an image or a PDF by a style of their own.
FRAMED = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
SANDBOXED = f"{FRAMED}; sandbox"
NOT_SHOWN = "Not shown: this is not the PDF, PNG or JPEG that it is listed as."
NOT_STORED = "The file is not in storage any more."


@require_safe
def download_view(
    request: HttpRequest, *, pk: int, document_pk: int, model_admin: NoDeleteAdmin[LoanApplication]
) -> HttpResponseBase:
    """Answer with the file, as a download only: an uploaded file may contain anything."""
    document = _document_or_refuse(model_admin, request, pk, document_pk)
    try:
        content = document.file.open("rb")
    except FileNotFoundError as missing:
        raise Http404 from missing
    access_log.document_downloaded(document=document, user=staff(request))
    return FileResponse(
        content,
        as_attachment=True,
        filename=document.original_name,
        content_type=document.content_type,
        headers={"X-Content-Type-Options": "nosniff"},
    )


@require_safe
@xframe_options_sameorigin
def preview_view(
    request: HttpRequest, *, pk: int, document_pk: int, model_admin: NoDeleteAdmin[LoanApplication]
) -> HttpResponseBase:
    """Answer with a PDF, a PNG or a JPEG for a frame of our pages; on record as a download is.

    The type is that of the bytes, and has to be the one that was detected when they were stored.
    """
    document = _document_or_refuse(model_admin, request, pk, document_pk)
    try:
        content = document.file.open("rb")
    except FileNotFoundError:
        return _sentence(NOT_STORED, status=404)
    found = _type_of(content)
    if found is None or found.media_type != document.content_type:
        content.close()
        return _sentence(NOT_SHOWN, status=415)
    access_log.document_downloaded(document=document, user=staff(request), in_place=True)
    return FileResponse(
        content,
        filename=document.original_name,
        content_type=found.media_type,
        headers={
            "Content-Security-Policy": FRAMED if found is PDF else SANDBOXED,
            "X-Content-Type-Options": "nosniff",
        },
    )


def _document_or_refuse(
    model_admin: NoDeleteAdmin[LoanApplication], request: HttpRequest, pk: int, document_pk: int
) -> Document:
    """Return the document, for someone who may open it. Raises 404 or 403."""
    application = application_or_refuse(model_admin, request, pk, is_look=False)
    try:
        access_log.download_check(user=staff(request))
    except NotPermitted as refused:
        raise PermissionDenied(str(refused)) from refused
    return get_object_or_404(
        Document.objects.select_related("application"), pk=document_pk, application=application
    )


def _type_of(content: "File[bytes]") -> FileType | None:
    """Detect the type of an open file, which is at its beginning before and after."""
    head = content.read(ENDS)
    size = content.seek(0, os.SEEK_END)
    content.seek(max(size - ENDS, 0))
    tail = content.read(ENDS)
    content.seek(0)
    return type_of(head=head, tail=tail)


def _sentence(text: str, *, status: int) -> HttpResponse:
    """Answer a frame, in which the pages of the site do not open."""
    return HttpResponse(
        text,
        status=status,
        content_type="text/plain",
        headers={"Content-Security-Policy": SANDBOXED, "X-Content-Type-Options": "nosniff"},
    )


class Upload(ApplicationAction):
    """Add a file to an open application."""

    name = "upload"
    route = "<int:pk>/documents/add/"
    label = "Add a document"
    button = "Add the document"
    sentence = "Partners are not shown what staff bring. A file is not searched for viruses."
    form_class = UploadForm

    def check(self) -> None:
        documents.upload_check(application=self.row, user=self.user)

    @contextmanager
    def around(self) -> Iterator[None]:
        file = self.typed["file"]
        self.upload = documents.upload_read(
            kind=self.typed["kind"],
            name=file.name,
            declared_type=file.content_type or "",
            content=file,
        )
        with documents.upload_stored(
            reference=self.row.reference, user=self.user, upload=self.upload
        ):
            yield

    def act(self) -> str:
        document = documents.document_add(
            reference=self.row.reference, user=self.user, upload=self.upload
        )
        return f"“{document.original_name}” is added to {self.row.reference}."
