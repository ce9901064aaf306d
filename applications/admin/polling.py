"""The part of a case's page that keeps itself up to date: asked about once a second."""

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import parse_etags
from django.views.decorators.http import require_safe

from applications.admin.application_page import ApplicationPageAdmin, etag_of
from applications.admin.view_helpers import case_or_refuse
from core.admin.base import staff


@require_safe
def live_view(request: HttpRequest, *, pk: int, model_admin: ApplicationPageAdmin) -> HttpResponse:
    """The header, steps, log and panels, or 304 when the reader has them already."""
    application = case_or_refuse(model_admin, request, pk, is_look=False)
    etag = etag_of(model_admin.case_fingerprint(application, request, timezone.now()))
    if etag in parse_etags(request.headers.get("If-None-Match", "")):
        return HttpResponseNotModified(headers={"ETag": etag})
    context = model_admin.case_context(model_admin.page_of(application, staff(request)))
    response = render(request, "applications/admin/application_page.html", context)
    response.headers["ETag"] = etag
    return response
