"""Executions and callbacks in the admin: read-only, written by services."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from applications.admin.view_helpers import ApplicationColumn
from core.admin.base import ReadOnlyAdmin
from core.admin.orders import BY_STATUS, Order
from core.admin.row_actions import Button, RowActionsAdmin, row_url
from core.database import beginning
from workflows.admin.badges import callback_badge, execution_badge
from workflows.admin.history import history_page
from workflows.models import Execution, PendingCallback


class ExecutionAdmin(RowActionsAdmin[Execution], ApplicationColumn, ReadOnlyAdmin[Execution]):
    list_display = (
        "name",
        "application_shown",
        "attempt",
        "status_shown",
        "queued_at",
        "started_at",
        "ended_at",
    )
    list_filter = ("status",)
    list_select_related = ("application",)
    counts_status = True
    search_fields = ("name",)
    keeps_search = True
    search_help_text = "How the execution's name begins."
    orders = {
        "queued_at": Order(("queued_at", "id"), beside=BY_STATUS),
        "status_shown": Order(("status", "-queued_at", "-id"), beside=BY_STATUS),
    }
    empty_list_text = (
        "Each application that is submitted is carried by one durable execution; a restart "
        "begins another."
    )
    fields = (
        "name",
        "application_shown",
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

    @admin.display(description="Status", ordering="status")
    def status_shown(self, execution: Execution) -> SafeString:
        return execution_badge(execution)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Execution], search_term: str
    ) -> tuple[QuerySet[Execution], bool]:
        start = search_term.strip().upper()
        return queryset.filter(**beginning("name", start)) if start else queryset, False

    def row_buttons(self, request: HttpRequest, row: Execution) -> list[Button]:
        url = row_url(row, "history")
        return [Button(key="history", label="History in the engine", url=url, acts=False)]

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the engine's history instead of Django's log: nobody edits executions."""
        execution = self.get_object(request, unquote(object_id))
        if execution is None:
            return self._get_obj_does_not_exist_redirect(  # type: ignore[attr-defined,no-any-return]
                request, self.opts, object_id
            )
        if not self.has_view_or_change_permission(request, execution):
            raise PermissionDenied
        return history_page(self, request, execution)


class PendingCallbackAdmin(ApplicationColumn, ReadOnlyAdmin[PendingCallback]):
    list_display = (
        "what",
        "application_shown",
        "status_shown",
        "opened_at",
        "answered_at",
        "expires_at",
    )
    list_filter = ("status",)
    list_select_related = ("execution__application",)
    application_path = "execution.application"
    counts_status = True
    orders = {
        "opened_at": Order(("opened_at", "id"), beside=BY_STATUS),
        "status_shown": Order(("status", "-opened_at", "-id"), beside=BY_STATUS),
    }
    empty_list_text = (
        "What a sleeping execution waits for appears here: a person's answer, or the fraud "
        "service's."
    )

    # Without ``callback_id``: whoever has it and reaches the engine can answer.
    fields = (
        "execution",
        "what",
        "application_shown",
        "review_task",
        "status_shown",
        "answer",
        "opened_at",
        "answered_at",
        "delivered_at",
        "expires_at",
    )

    @admin.display(description="Waits for")
    def what(self, callback: PendingCallback) -> str:
        return callback.what

    @admin.display(description="Status", ordering="status")
    def status_shown(self, callback: PendingCallback) -> SafeString:
        return callback_badge(callback)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PendingCallback]:
        return super().get_queryset(request).select_related("execution__application")
