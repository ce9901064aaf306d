"""What the views beside an application's page share."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from applications.models import LoanApplication
from applications.services import access_log
from core.admin.base import NoDeleteAdmin, staff


def case_or_refuse(
    model_admin: NoDeleteAdmin[LoanApplication],
    request: HttpRequest,
    pk: int,
    *,
    is_look: bool = True,
) -> LoanApplication:
    """The application, for someone who may look at it. Raises 404 or 403.

    That they looked is on record, unless the page asked by itself (``is_look``).
    """
    application = model_admin.get_object(request, str(pk))
    if application is None:
        raise Http404
    if not model_admin.has_view_or_change_permission(request, application):
        raise PermissionDenied
    if is_look and request.method == "GET":
        access_log.application_viewed(application=application, user=staff(request))
    return application


def back_to_case(
    model_admin: NoDeleteAdmin[LoanApplication],
    request: HttpRequest,
    application: LoanApplication,
    sentence: str,
    level: int = messages.ERROR,
) -> HttpResponse:
    """The case's page, read again, with a sentence on top."""
    model_admin.message_user(request, sentence, level)
    return HttpResponseRedirect(
        reverse("admin:applications_loanapplication_change", args=[application.pk])
    )


def case_url(application: LoanApplication) -> str:
    return reverse("admin:applications_loanapplication_change", args=[application.pk])


def case_link(application: LoanApplication) -> SafeString:
    url = reverse("admin:applications_loanapplication_change", args=[application.pk])
    return format_html('<a href="{}">{}</a>', url, application.reference)
