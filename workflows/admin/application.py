"""The part of the workflow on an application's page: executions, incidents, buttons."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Max
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from applications.admin.application_page import Panel
from applications.choices import Status
from applications.models import LoanApplication
from core.admin.display import moment
from core.admin.row_actions import Button
from reviews.admin.application import ReviewApplicationAdmin, ReviewApplicationPage
from reviews.models import BulkDecision
from workflows.admin import operator_actions, timeline
from workflows.admin.badges import callback_badge, execution_badge, incident_badge
from workflows.admin.fraud_answers import FraudAnswer, fraud_answers
from workflows.admin.links import incident_url
from workflows.admin.messages import Sent, sent_about
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback
from workflows.outbox import queue

# The engine's panel is for whoever works on what is stuck in it.
OPERATES = "workflows.change_incident"
# How long a bulk decision's request waits for the answers to be sent; the sweep sends the rest.
SENDING = 1.0  # seconds


@dataclass(frozen=True)
class GivenUp:
    """An outbox message that was given up, and the incident about it."""

    message: OutboxMessage
    incident_pk: int | None


class WorkflowApplicationPage(ReviewApplicationPage):
    """One application as one person may see it, with its executions and incidents."""

    @cached_property
    def executions(self) -> list[Execution]:
        rows = Execution.objects.filter(application=self.application)
        return list(rows.prefetch_related("callbacks"))

    @cached_property
    def current(self) -> Execution | None:
        """The execution of the current attempt."""
        attempt = self.application.attempt
        return next((row for row in self.executions if row.attempt == attempt), None)

    @cached_property
    def fraud_answers(self) -> list[FraudAnswer]:
        """Return the answers of the fraud check."""
        return fraud_answers(self.events, self.executions)

    @cached_property
    def incidents(self) -> list[Incident]:
        """The unresolved incidents."""
        return list(
            Incident.objects.filter(application=self.application)
            .exclude(status=Incident.Status.RESOLVED)
            .select_related("acknowledged_by")
        )

    @cached_property
    def emails(self) -> list[Sent]:
        """The e-mails about it, those to the applicant first."""
        return sent_about(self.application)

    @cached_property
    def given_up(self) -> list[GivenUp]:
        """The messages of the current attempt that were given up and not resent."""
        if self.current is None:
            return []
        rows = OutboxMessage.objects.filter(
            execution=self.current, status=OutboxMessage.Status.DEAD
        ).annotate(incident_pk=Max("incidents__pk"))
        return [GivenUp(row, row.incident_pk) for row in rows]

    def buttons(self) -> list[Button]:
        """Return the repairs, the buttons of the packages below, and the workflow's controls."""
        application, user = self.application, self.user
        return [
            *operator_actions.settlement_button(application, user),
            *operator_actions.buttons(operator_actions.REPAIRS, application=application, user=user),
            *super().buttons(),
            *operator_actions.buttons(
                operator_actions.CONTROLS, application=application, user=user
            ),
        ]

    def notices(self) -> list[str]:
        notices = super().notices()
        if not self.is_live or self.current is None:
            return notices
        if self.current.paused_at is not None and self.current.ended_at is None:
            notices.append(_paused(self.current.paused_at))
        notices += [self._not_delivered(given_up) for given_up in self.given_up]
        lost = {given_up.message.callback_id for given_up in self.given_up}
        answered = (
            callback.pk
            for callback in self.current.callbacks.all()
            if callback.status == PendingCallback.Status.ANSWERED
        )
        if set(answered) - lost:
            notices.append("Delivery pending: the answer is recorded and on its way.")
        return notices

    def _not_delivered(self, given_up: GivenUp) -> SafeString:
        what = given_up.message.get_kind_display().lower()
        sentence = "Not delivered: “{}” was given up after {} tries. {}"
        link = SafeString("")
        if given_up.incident_pk is not None and self.user.has_perm("workflows.view_incident"):
            address = incident_url(given_up.incident_pk)
            link = format_html('<a href="{}">See the incident</a>', address)
        return format_html(sentence, what, given_up.message.attempts, link)

    @property
    def why(self) -> str:
        """For an application that needs attention, the sentences of its incidents."""
        if self.status == Status.NEEDS_ATTENTION and self.incidents:
            return " ".join(incident.sentence for incident in self.incidents)
        return super().why

    def log_links(self) -> list[tuple[str, str]]:
        where = reverse("admin:applications_loanapplication_timeline", args=[self.application.pk])
        return [*super().log_links(), ("Whole timeline", where)]

    def panels(self) -> list[Panel]:
        shown = super().panels()
        if self.incidents:
            rows = [
                {"incident": incident, "badge": incident_badge(incident)}
                for incident in self.incidents
            ]
            panel = Panel("incidents", "Open incidents", "workflows/admin/incidents.html", rows)
            shown.insert(0, panel)
        if self.fraud_answers:
            panel = Panel(
                "fraud", "Fraud check", "applications/admin/panels/fraud.html", self.fraud_answers
            )
            behind = [at for at, each in enumerate(shown, 1) if each.key in {"risk", "credit"}]
            shown.insert(max(behind, default=len(shown)), panel)
        if self.emails:
            shown.append(Panel("emails", "E-mails", "workflows/admin/emails.html", self.emails))
        if self.executions and self.user.has_perm(OPERATES):
            rows = [self._execution_row(execution) for execution in self.executions]
            shown.append(Panel("executions", "Workflow", "workflows/admin/executions.html", rows))
        return shown

    def _execution_row(self, execution: Execution) -> dict[str, Any]:
        lost = {given_up.message.callback_id for given_up in self.given_up}
        return {
            "execution": execution,
            "badge": execution_badge(execution),
            "callbacks": [
                {
                    "callback": callback,
                    "badge": callback_badge(callback, given_up=callback.pk in lost),
                }
                for callback in execution.callbacks.all()
            ],
        }


def _paused(since: datetime) -> SafeString:
    return format_html(
        "Paused since {}: the workflow waits until Operations resumes it. What is "
        "decided meanwhile is kept.",
        moment(since),
    )


class WorkflowApplicationAdmin(ReviewApplicationAdmin):
    """The application's admin with the workflow's part of the page."""

    page_class = WorkflowApplicationPage

    def application_fingerprint(
        self, application: LoanApplication, request: HttpRequest, now: datetime
    ) -> list[object]:
        """Add executions, pauses, callbacks, incidents and e-mails."""
        executions = Execution.objects.filter(application=application)
        incidents = Incident.objects.filter(application=application)
        return [
            *super().application_fingerprint(application, request, now),
            list(
                executions.order_by("pk", "callbacks__pk").values_list(
                    "pk", "status", "paused_at", "ended_at", "callbacks__pk", "callbacks__status"
                )
            ),
            list(incidents.order_by("pk").values_list("pk", "status")),
            list(
                OutboxMessage.objects.filter(application=application)
                .order_by("pk")
                .values_list("pk", "status", "attempts")
            ),
        ]

    def bulk_carry_on(self, run: BulkDecision) -> None:
        """Send the answers together, after the last decision."""
        with queue.held_back() as keys:
            super().bulk_carry_on(run)
        queue.send_together(keys, seconds=SENDING)

    def get_urls(self) -> list[URLPattern]:
        return [
            *(action.url_pattern(self) for action in operator_actions.ACTIONS),
            path(
                "<int:pk>/timeline/",
                self.admin_site.admin_view(timeline.timeline_view),
                {"model_admin": self},
                name="applications_loanapplication_timeline",
            ),
            *super().get_urls(),
        ]
