"""Executions, callbacks and what leaves: mirrors to look into. Services write them."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods

from applications.admin.view_helpers import case_link
from core.admin.base import ReadOnlyAdmin, staff
from core.admin.view_helpers import confirmation
from core.database import beginning
from core.errors import DomainError
from workflows import operations
from workflows.admin.badges import callback_badge, execution_badge, message_badge
from workflows.admin.forms import NothingForm
from workflows.admin.history import history_page
from workflows.admin.links import came_from
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback


class ExecutionAdmin(ReadOnlyAdmin[Execution]):
    list_display = (
        "name",
        "case",
        "attempt",
        "status_shown",
        "queued_at",
        "started_at",
        "ended_at",
    )
    list_filter = ("status",)
    list_select_related = ("application",)
    search_fields = ("name",)
    search_help_text = "How the execution's name begins."
    sortable_by = ()
    nothing_said = (
        "Each application that is submitted is carried by one durable execution; a restart "
        "begins another."
    )
    fields = (
        "name",
        "case",
        "attempt",
        "status_shown",
        "arn",
        "queued_at",
        "started_at",
        "paused_at",
        "ended_at",
        "result",
        "error",
        "request_id",
    )
    change_form_template = "workflows/admin/execution_change_form.html"

    @admin.display(description="Application")
    def case(self, execution: Execution) -> SafeString:
        return case_link(execution.application)

    @admin.display(description="Status")
    def status_shown(self, execution: Execution) -> SafeString:
        return execution_badge(execution)

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: QuerySet[Execution],
        search_term: str,
    ) -> tuple[QuerySet[Execution], bool]:
        start = search_term.strip().upper()
        return queryset.filter(**beginning("name", start)) if start else queryset, False

    def history_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        """What the engine knows of it, not Django's own log: nobody edits executions."""
        execution = self.get_object(request, unquote(object_id))
        if execution is None:
            return self._get_obj_does_not_exist_redirect(  # type: ignore[attr-defined,no-any-return]
                request, self.opts, object_id
            )
        if not self.has_view_or_change_permission(request, execution):
            raise PermissionDenied
        return history_page(self, request, execution)


class PendingCallbackAdmin(ReadOnlyAdmin[PendingCallback]):
    list_display = ("name", "case", "status_shown", "opened_at", "answered_at", "expires_at")
    list_filter = ("status",)
    list_select_related = ("execution__application",)
    sortable_by = ()
    nothing_said = (
        "What a sleeping execution waits for appears here: a person's answer, or the fraud "
        "service's."
    )

    @admin.display(description="Application")
    def case(self, callback: PendingCallback) -> SafeString:
        return case_link(callback.execution.application)

    @admin.display(description="Status")
    def status_shown(self, callback: PendingCallback) -> SafeString:
        return callback_badge(callback)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PendingCallback]:
        return super().get_queryset(request).select_related("execution__application")


class OutboxMessageAdmin(ReadOnlyAdmin[OutboxMessage]):
    list_display = (
        "key",
        "kind",
        "case",
        "status_shown",
        "attempts",
        "due_at",
        "sent_at",
        "last_error_short",
    )
    list_filter = ("status", "kind")
    list_select_related = ("execution__application",)
    ordering = ("-id",)
    sortable_by = ()
    nothing_said = (
        "Whatever leaves this system passes through here first: starts of workflows, answers "
        "that people gave, letters. It is sent again until it gets through."
    )
    change_form_template = "workflows/admin/message_change_form.html"

    @admin.display(description="Application", empty_value="")
    def case(self, message: OutboxMessage) -> SafeString | str:
        return case_link(message.execution.application) if message.execution else ""

    @admin.display(description="Status")
    def status_shown(self, message: OutboxMessage) -> SafeString:
        return message_badge(message)

    @admin.display(description="Last error", empty_value="")
    def last_error_short(self, message: OutboxMessage) -> str:
        return message.last_error[:100]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        message = self.get_object(request, unquote(object_id))
        can_resend = message is not None and may_resend(message=message, request=request)
        context = {**(extra_context or {}), "can_resend": can_resend}
        return super().change_view(request, object_id, form_url, context)

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:pk>/resend/",
                self.admin_site.admin_view(resend_view),
                {"model_admin": self},
                name="workflows_outboxmessage_resend",
            ),
            *super().get_urls(),
        ]


def may_resend(*, message: OutboxMessage, request: HttpRequest) -> bool:
    try:
        operations.resend_check(message=message, user=staff(request))
    except DomainError:
        return False
    return True


@require_http_methods(["GET", "HEAD", "POST"])
def resend_view(request: HttpRequest, *, pk: int, model_admin: OutboxMessageAdmin) -> HttpResponse:
    """Give a message that was given up all its tries again; then back to where one was."""
    message = get_object_or_404(OutboxMessage, pk=pk)
    if not model_admin.has_view_or_change_permission(request, message):
        raise PermissionDenied
    user = staff(request)
    back = _way_back(request, message)
    try:
        operations.resend_check(message=message, user=user)
        if request.method == "POST":
            operations.message_resend(message=message, user=user)
            said = f"{message.get_kind_display()}: it is on its way again."
            model_admin.message_user(request, said, messages.SUCCESS)
            return HttpResponseRedirect(back)
    except DomainError as refused:
        model_admin.message_user(request, str(refused), messages.ERROR)
        return HttpResponseRedirect(back)
    return confirmation(
        model_admin,
        request,
        "core/admin/confirm.html",
        title=f"Resend: {message}",
        original=message,
        form=NothingForm(),
        button="Resend",
        tone="good",
        sentence=(
            f"It was tried {message.attempts} times and given up. It gets all its tries again, "
            "the first of them now; its incident is resolved, and another one opens if it "
            "fails again."
        ),
        back=back,
    )


def _way_back(request: HttpRequest, message: OutboxMessage) -> str:
    """The page that the button was pressed on: the message's, or that of its incident."""
    own = reverse("admin:workflows_outboxmessage_change", args=[message.pk])
    return came_from(request, Incident.objects.filter(message=message)) or own
