"""The workflow in the admin: its mirror to look into, and what it adds to a case's page.

``applications.admin`` does not know the workflow; this class stands in for its own and
adds executions, callbacks, incidents and the restart from above.
"""

from datetime import datetime

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods

from applications.admin.application import LoanApplicationAdmin
from applications.admin.base import ReadOnlyAdmin, staff
from applications.admin.case import Button, Case, Panel
from applications.admin.display import badge
from applications.admin.forms import WithdrawForm
from applications.admin.reviews import case_link
from applications.admin.views import back_to_case, case_or_refuse, confirmation
from applications.errors import ApplicationsError
from applications.models import LoanApplication
from workflows import operations
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback

EXECUTION_TONES = {
    Execution.Status.QUEUED: "quiet",
    Execution.Status.RUNNING: "info",
    Execution.Status.SUCCEEDED: "good",
    Execution.Status.FAILED: "bad",
    Execution.Status.TIMED_OUT: "bad",
    Execution.Status.STOPPED: "quiet",
}
CALLBACK_TONES = {
    PendingCallback.Status.OPEN: "info",
    PendingCallback.Status.ANSWERED: "wait",
    PendingCallback.Status.DELIVERED: "good",
    PendingCallback.Status.EXPIRED: "bad",
    PendingCallback.Status.CANCELLED: "quiet",
}
MESSAGE_TONES = {
    OutboxMessage.Status.PENDING: "wait",
    OutboxMessage.Status.SENT: "good",
    OutboxMessage.Status.DEAD: "bad",
    OutboxMessage.Status.CANCELLED: "quiet",
}
INCIDENT_TONES = {
    Incident.Status.OPEN: "alert",
    Incident.Status.ACKNOWLEDGED: "wait",
    Incident.Status.RESOLVED: "quiet",
}


def execution_badge(execution: Execution) -> SafeString:
    known = Execution.Status(execution.status)
    return badge(str(known.label), EXECUTION_TONES[known])


def callback_badge(callback: PendingCallback) -> SafeString:
    known = PendingCallback.Status(callback.status)
    answered = known == PendingCallback.Status.ANSWERED
    return badge("Delivery pending" if answered else str(known.label), CALLBACK_TONES[known])


class CaseAdmin(LoanApplicationAdmin):
    """The application's admin with the workflow's part of the page."""

    def case_panels(self, case: Case) -> list[Panel]:
        executions = list(
            Execution.objects.filter(application=case.application).prefetch_related("callbacks")
        )
        incidents = list(
            Incident.objects.filter(application=case.application).exclude(
                status=Incident.Status.RESOLVED
            )
        )
        shown = super().case_panels(case)
        if incidents:
            shown.insert(
                0, Panel("incidents", "Open incidents", "workflows/admin/incidents.html", incidents)
            )
        if executions:
            rows = [
                {
                    "execution": execution,
                    "badge": execution_badge(execution),
                    "callbacks": [
                        {"callback": callback, "badge": callback_badge(callback)}
                        for callback in execution.callbacks.all()
                    ],
                }
                for execution in executions
            ]
            shown.append(Panel("executions", "Workflow", "workflows/admin/executions.html", rows))
        return shown

    def case_notices(self, case: Case) -> list[str]:
        notices = super().case_notices(case)
        if not case.is_live:
            return notices
        undelivered = PendingCallback.objects.filter(
            execution__application=case.application,
            execution__attempt=case.application.attempt,
            status=PendingCallback.Status.ANSWERED,
        )
        if undelivered.exists():
            notices.append("Delivery pending: the answer is recorded and on its way.")
        return notices

    def case_buttons(self, case: Case) -> list[Button]:
        shown = super().case_buttons(case)
        try:
            operations.restart_check(application=case.application, user=case.user)
        except ApplicationsError:
            return shown
        url = reverse("admin:applications_loanapplication_restart", args=[case.application.pk])
        return [Button(key="restart", label="Restart", url=url, tone="good"), *shown]

    def case_fingerprint(
        self, application: LoanApplication, request: HttpRequest, now: datetime
    ) -> list[object]:
        """What the workflow shows as well: states of executions, callbacks and incidents."""
        executions = Execution.objects.filter(application=application)
        incidents = Incident.objects.filter(application=application)
        return [
            *super().case_fingerprint(application, request, now),
            list(
                executions.order_by("pk", "callbacks__pk").values_list(
                    "pk", "status", "ended_at", "callbacks__pk", "callbacks__status"
                )
            ),
            list(incidents.order_by("pk").values_list("pk", "status")),
        ]

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:pk>/restart/",
                self.admin_site.admin_view(restart_view),
                {"model_admin": self},
                name="applications_loanapplication_restart",
            ),
            *super().get_urls(),
        ]


@require_http_methods(["GET", "HEAD", "POST"])
def restart_view(request: HttpRequest, *, pk: int, model_admin: CaseAdmin) -> HttpResponse:
    """Ask once more, then carry the case by a new attempt."""
    application = case_or_refuse(model_admin, request, pk)
    user = staff(request)
    form = WithdrawForm(request.POST if request.method == "POST" else None)
    try:
        operations.restart_check(application=application, user=user)
        if form.is_valid():
            restarted = operations.application_restart(
                reference=application.reference, user=user, reason=form.cleaned_data["reason"]
            )
            said = f"{application.reference} is restarted as attempt {restarted.attempt}."
            return back_to_case(model_admin, request, application, said, messages.SUCCESS)
    except ApplicationsError as refused:
        return back_to_case(model_admin, request, application, str(refused))
    return confirmation(
        model_admin,
        request,
        "applications/admin/confirm.html",
        title=f"Restart: {application.reference}",
        original=application,
        form=form,
        button="Restart",
        tone="good",
        sentence=(
            "A new attempt carries the case from the first step. A payout that was requested "
            "is never requested twice."
        ),
    )


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
        return queryset.filter(name__startswith=search_term.strip().upper()), False


class PendingCallbackAdmin(ReadOnlyAdmin[PendingCallback]):
    list_display = ("name", "case", "status_shown", "opened_at", "answered_at", "expires_at")
    list_filter = ("status",)
    list_select_related = ("execution__application",)
    sortable_by = ()

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

    @admin.display(description="Application", empty_value="")
    def case(self, message: OutboxMessage) -> SafeString | str:
        return case_link(message.execution.application) if message.execution else ""

    @admin.display(description="Status")
    def status_shown(self, message: OutboxMessage) -> SafeString:
        known = OutboxMessage.Status(message.status)
        return badge(str(known.label), MESSAGE_TONES[known])

    @admin.display(description="Last error", empty_value="")
    def last_error_short(self, message: OutboxMessage) -> str:
        return message.last_error[:100]


class IncidentAdmin(ReadOnlyAdmin[Incident]):
    list_display = ("opened_at", "kind", "case", "sentence", "status_shown", "resolved_by")
    list_filter = ("status", "kind")
    list_select_related = ("application", "resolved_by")
    sortable_by = ()

    @admin.display(description="Application")
    def case(self, incident: Incident) -> SafeString:
        return case_link(incident.application)

    @admin.display(description="Status")
    def status_shown(self, incident: Incident) -> SafeString:
        known = Incident.Status(incident.status)
        return badge(str(known.label), INCIDENT_TONES[known])


admin.site.unregister(LoanApplication)
admin.site.register(LoanApplication, CaseAdmin)
admin.site.register(Execution, ExecutionAdmin)
admin.site.register(PendingCallback, PendingCallbackAdmin)
admin.site.register(OutboxMessage, OutboxMessageAdmin)
admin.site.register(Incident, IncidentAdmin)
