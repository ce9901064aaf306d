"""Hands out an application's files: to those who may see them, and only as a download."""

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from applications.admin.base import staff
from applications.admin.views import case_or_refuse
from applications.models import Document
from applications.services import viewing

if TYPE_CHECKING:
    from applications.admin.application import LoanApplicationAdmin


@require_safe
def download_view(
    request: HttpRequest, *, pk: int, document_pk: int, model_admin: "LoanApplicationAdmin"
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
    viewing.document_downloaded(document=document, user=staff(request))
    return FileResponse(
        content,
        as_attachment=True,
        filename=document.original_name,
        content_type=document.content_type,
        headers={"X-Content-Type-Options": "nosniff"},
    )
