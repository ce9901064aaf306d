"""The part of an application's page that keeps itself up to date."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from applications.admin.application_page import ApplicationPageAdmin
from applications.admin.view_helpers import application_or_refuse
from core.admin.polling import polled_response


@require_safe
def live_view(request: HttpRequest, *, pk: int, model_admin: ApplicationPageAdmin) -> HttpResponse:
    """Answer with the header, steps, log and panels, or 304 when the reader has them already."""
    application = application_or_refuse(model_admin, request, pk, is_look=False)
    return polled_response(
        request,
        model_admin.application_fingerprint(application, request, timezone.now()),
        "applications/admin/application_page.html",
        lambda: model_admin.application_context(request, model_admin.page_of(request, application)),
    )
