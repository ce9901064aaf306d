"""An application's documents in the admin: the download, and the action that adds one."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from applications.admin.forms import UploadForm
from applications.admin.view_helpers import ApplicationAction, application_or_refuse
from applications.models import Document, LoanApplication
from applications.services import access_log, documents
from core.admin.base import NoDeleteAdmin, staff
from core.errors import NotPermitted


@require_safe
def download_view(
    request: HttpRequest, *, pk: int, document_pk: int, model_admin: NoDeleteAdmin[LoanApplication]
) -> HttpResponseBase:
    """Answer with the file, as a download only: an uploaded file may contain anything."""
    application = application_or_refuse(model_admin, request, pk, is_look=False)
    try:
        access_log.download_check(user=staff(request))
    except NotPermitted as refused:
        raise PermissionDenied(str(refused)) from refused
    document = get_object_or_404(
        Document.objects.select_related("application"), pk=document_pk, application=application
    )
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
