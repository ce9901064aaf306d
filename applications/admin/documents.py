"""An application's files: handed out, only as a download, and brought by those who may."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_http_methods, require_safe

from applications.admin.forms import UploadForm
from applications.admin.view_helpers import back_to_case, case_or_refuse
from applications.errors import InvalidDocument
from applications.models import Document, LoanApplication
from applications.services import access_log, documents
from core.admin.base import NoDeleteAdmin, staff
from core.admin.forms import show_refusal
from core.admin.view_helpers import confirmation
from core.errors import DomainError


@require_safe
def download_view(
    request: HttpRequest, *, pk: int, document_pk: int, model_admin: NoDeleteAdmin[LoanApplication]
) -> HttpResponseBase:
    """The bytes, never shown in the page: what a person brought may be anything."""
    application = case_or_refuse(model_admin, request, pk, is_look=False)
    if not staff(request).has_perm("applications.view_document"):
        raise PermissionDenied
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


@require_http_methods(["GET", "HEAD", "POST"])
def upload_view(
    request: HttpRequest, *, pk: int, model_admin: NoDeleteAdmin[LoanApplication]
) -> HttpResponse:
    """Bring a file to a case that is open. What is wrong with it is said beside its field."""
    application = case_or_refuse(model_admin, request, pk)
    user = staff(request)
    posted = request.method == "POST"
    form = UploadForm(request.POST, request.FILES) if posted else UploadForm()
    try:
        documents.upload_check(application=application, user=user)
        if form.is_valid():
            document = _brought(form, reference=application.reference, user=user)
            return back_to_case(
                model_admin,
                request,
                application,
                f"“{document.original_name}” is added to {application.reference}.",
                messages.SUCCESS,
            )
    except InvalidDocument as refused:
        show_refusal(form, refused.errors)
    except DomainError as refused:
        return back_to_case(model_admin, request, application, str(refused))
    return confirmation(
        model_admin,
        request,
        "core/admin/confirm.html",
        title=f"Add a document: {application.reference}",
        original=application,
        form=form,
        button="Add the document",
        tone="good",
        sentence="Partners are not shown what staff bring. A file is not searched for viruses.",
    )


def _brought(form: UploadForm, *, reference: str, user: User) -> Document:
    file = form.cleaned_data["file"]
    upload = documents.upload_read(
        kind=form.cleaned_data["kind"],
        name=file.name,
        declared_type=file.content_type or "",
        content=file,
    )
    return documents.document_upload(reference=reference, user=user, upload=upload)
