"""Helpers of an application's views and actions, and the column that links to it."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString

from applications.models import LoanApplication
from applications.services import access_log
from core.admin.base import NoDeleteAdmin, staff
from core.admin.row_actions import RowAction, row_url


def application_or_refuse(
    model_admin: NoDeleteAdmin[LoanApplication],
    request: HttpRequest,
    pk: int,
    *,
    is_look: bool = True,
) -> LoanApplication:
    """The application, for someone who may look at it. Raises 404 or 403.

    The access is recorded, except for polls of the page (``is_look=False``).
    """
    application = model_admin.get_object(request, str(pk))
    if application is None:
        raise Http404
    if not model_admin.has_view_or_change_permission(request, application):
        raise PermissionDenied
    if is_look and request.method == "GET":
        access_log.application_viewed(application=application, user=staff(request))
    return application


def back_to_application(
    model_admin: NoDeleteAdmin[LoanApplication],
    request: HttpRequest,
    application: LoanApplication,
    sentence: str,
    level: int = messages.ERROR,
) -> HttpResponse:
    """Redirect to the application's page with a message."""
    model_admin.message_user(request, sentence, level)
    return HttpResponseRedirect(row_url(application))


def application_link(application: LoanApplication) -> SafeString:
    return format_html('<a href="{}">{}</a>', row_url(application), application.reference)


class ApplicationColumn:
    """The column with a link to the application that a row belongs to."""

    application_path = "application"

    @admin.display(description="Application", empty_value="")
    def application_shown(self, row: Any) -> SafeString | str:
        found = row
        for name in self.application_path.split("."):
            found = getattr(found, name) if found is not None else None
        return "" if found is None else application_link(found)


class ApplicationAction(RowAction[LoanApplication]):
    """An action on an application, for someone who may look at it."""

    def get_row(self, pk: int) -> LoanApplication:
        return application_or_refuse(self.model_admin, self.request, pk)

    def title(self) -> str:
        return f"{self.label}: {self.row.reference}"
