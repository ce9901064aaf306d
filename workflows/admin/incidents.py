"""Incidents in the admin: the list, and the page of one with the actions that resolve it."""

from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from applications.admin.view_helpers import ApplicationColumn
from applications.admin.withdrawal import Withdraw
from applications.models import ApplicationEvent, Disbursement
from core.admin.base import ReadOnlyPageAdmin, staff
from core.admin.display import moment, person_name
from core.admin.orders import BY_STATUS, Order
from core.admin.row_actions import Button, RowAction, RowActionsAdmin, row_url
from core.errors import DomainError
from workflows import incidents, kind_restarts, operations
from workflows.admin import operator_actions
from workflows.admin.badges import incident_badge, message_badge
from workflows.admin.forms import NoteForm
from workflows.admin.kind_restarts import restart_kind_view
from workflows.admin.messages import ResendMessage
from workflows.admin.reconcile import reconcile_view
from workflows.models import Incident, urgency
from workflows.reconcile import manual

RESTART_KIND = "admin:workflows_incident_restart_kind"
ABOUT_MONEY = (Incident.Kind.PAYOUT_UNKNOWN, Incident.Kind.PAYOUT_REFUSED)
# Kinds of timeline events that the actions of Operations write.
DONE_BY_PEOPLE = (
    "incident_acknowledged",
    "incident_resolved",
    "payout_settled",
    "paused",
    "reconciled",
    "resent",
    "restarted",
    "resumed",
    "stopped",
    "withdrawn",
)


class IncidentPage:
    """One incident as one person may see it."""

    def __init__(self, incident: Incident, user: User) -> None:
        self.incident = incident
        self.application = incident.application
        self.user = user

    @property
    def badge(self) -> SafeString:
        return incident_badge(self.incident)

    @property
    def age(self) -> str:
        return age(self.incident)

    @property
    def who(self) -> str:
        return who(self.incident)

    @property
    def message_badge(self) -> SafeString | str:
        return message_badge(self.incident.message) if self.incident.message else ""

    @property
    def is_resolved(self) -> bool:
        return self.incident.status == Incident.Status.RESOLVED

    @cached_property
    def _resolving(self) -> tuple[bool, str]:
        """Return whether this person may resolve it, and the reason if not."""
        if self.is_resolved or not self.user.has_perm(incidents.PERMISSION):
            return False, ""
        try:
            incidents.resolve_check(incident=self.incident, user=self.user)
        except DomainError as refused:
            return False, str(refused)
        return True, ""

    @property
    def notices(self) -> list[str]:
        return [why_not] if (why_not := self._resolving[1]) else []

    def buttons(self) -> list[Button]:
        """Return the actions of this person; none once the incident is resolved."""
        if self.is_resolved:
            return []
        resolve = row_url(self.incident, "resolve")
        return [
            *AcknowledgeIncident.button_for(self.incident, self.user, tone="quiet"),
            *self._resend(),
            *self._people_buttons(),
            *self._application_buttons(),
            *([Button("resolve", "Mark resolved", resolve)] if self._resolving[0] else []),
        ]

    def _resend(self) -> list[Button]:
        message = self.incident.message
        if message is None or not self.user.has_perm("workflows.view_outboxmessage"):
            return []
        return ResendMessage.button_for(message, self.user, query={"incident": self.incident.pk})

    def _people_buttons(self) -> list[Button]:
        """The pages that let somebody decide, where nobody can: for superusers."""
        if self.incident.kind != Incident.Kind.NOBODY_CAN_DECIDE:
            return []
        pages = (
            ("people", "Roles of people", "auth.change_user", "admin:auth_user_changelist"),
            (
                "hand-over",
                "Hand over tasks",
                "reviews.add_delegation",
                "admin:reviews_delegation_add",
            ),
        )
        return [
            Button(key, label, reverse(name), acts=False)
            for key, label, permission, name in pages
            if self.user.is_superuser and self.user.has_perm(permission)
        ]

    def _application_buttons(self) -> list[Button]:
        """The application's actions, for whoever may see the pages that ask."""
        if not self.user.has_perm("applications.view_loanapplication"):
            return []
        return [
            *operator_actions.settlement_button(self.application, self.user),
            *operator_actions.buttons(
                operator_actions.ACTIONS,
                self.application,
                self.user,
                incident=self.incident,
            ),
            *Withdraw.button_for(self.application, self.user, tone="quiet"),
        ]

    @cached_property
    def payout(self) -> Disbursement | None:
        """The disbursement, where the incident is about the payout."""
        if self.incident.kind not in ABOUT_MONEY:
            return None
        return Disbursement.objects.filter(application=self.application).first()

    @cached_property
    def others(self) -> list[Incident]:
        """Other unresolved incidents of the same application."""
        return list(
            Incident.objects.filter(application=self.application)
            .exclude(status=Incident.Status.RESOLVED)
            .exclude(pk=self.incident.pk)
        )

    @cached_property
    def done(self) -> list[ApplicationEvent]:
        """The timeline's events of what people did since this was opened."""
        until = self.incident.resolved_at or timezone.now()
        meanwhile = Q(at__gte=self.incident.opened_at, at__lte=until)
        events = ApplicationEvent.objects.filter(
            meanwhile | Q(data__incident=str(self.incident.pk)),
            application=self.application,
            kind__in=DONE_BY_PEOPLE,
        )
        return list(events.select_related("actor", "partner"))


def age(incident: Incident) -> str:
    """Return how long it has been, or was, unresolved, in one unit."""
    until: datetime = incident.resolved_at or timezone.now()
    if until - incident.opened_at < timedelta(minutes=1):
        return "under a minute"
    return timesince(incident.opened_at, until, depth=1)


def who(incident: Incident) -> str:
    """Return who works on it or resolved it; empty when nobody does."""
    if incident.status == Incident.Status.RESOLVED:
        by = incident.resolved_by
        return f"Resolved by {person_name(by)}" if by is not None else "Resolved by itself"
    return person_name(incident.acknowledged_by) if incident.acknowledged_by else ""


class AcknowledgeIncident(RowAction[Incident]):
    """Mark an incident as being worked on."""

    name = "acknowledge"
    label = "Acknowledge"
    sentence = "It shows that you work on it. It stays unresolved until the problem is solved."

    def is_offered(self) -> bool:
        return self.row.status == Incident.Status.OPEN and super().is_offered()

    def check(self) -> None:
        incidents.incident_check(user=self.user)

    def title(self) -> str:
        return f"{self.label}: {self.row.application.reference}"

    def ask(self, status: int = 200) -> HttpResponse:
        is_open = self.row.status == Incident.Status.OPEN
        return super().ask(status) if is_open else self.finish(self._acknowledged(self.row))

    def act(self) -> str:
        return self._acknowledged(incidents.incident_acknowledge(incident=self.row, user=self.user))

    def _acknowledged(self, incident: Incident) -> str:
        if incident.acknowledged_by == self.user:
            return "You work on it now."
        return f"Somebody was first: {who(incident)}."


class ResolveIncident(RowAction[Incident]):
    """Close an incident with a note."""

    name = "resolve"
    label = "Mark resolved"
    sentence = "Nothing but the incident changes: say what solved the problem."
    form_class = NoteForm

    def check(self) -> None:
        incidents.incident_check(user=self.user)
        if self.row.status != Incident.Status.RESOLVED:
            incidents.resolve_check(incident=self.row, user=self.user)

    def title(self) -> str:
        return f"{self.label}: {self.row.application.reference}"

    def ask(self, status: int = 200) -> HttpResponse:
        is_resolved = self.row.status == Incident.Status.RESOLVED
        return self.finish(f"{who(self.row)}.") if is_resolved else super().ask(status)

    def act(self) -> str:
        if self.row.status == Incident.Status.RESOLVED:
            return f"{who(self.row)}."
        incidents.incident_resolve(incident=self.row, user=self.user, note=self.typed["note"])
        return "It is resolved."


class WorkedOnByMe(admin.SimpleListFilter):
    """Filter by who works on an incident: the person who looks."""

    title = "worked on by me"
    parameter_name = "mine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        if not staff(request).has_perm(incidents.PERMISSION):
            return []
        return [("yes", "Acknowledged by me")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Incident]) -> QuerySet[Incident]:
        if self.value() != "yes":
            return queryset
        return queryset.filter(status=Incident.Status.ACKNOWLEDGED, acknowledged_by=staff(request))


class IncidentAdmin(RowActionsAdmin[Incident], ApplicationColumn, ReadOnlyPageAdmin[Incident]):
    list_display = ("why", "status_shown", "kind", "application_shown", "age", "by")
    list_filter = (WorkedOnByMe, "status", "kind")
    counts_status = True
    # By status is by urgency: open, acknowledged, resolved.
    orders = {
        "status_shown": Order((urgency().asc(), F("opened_at").desc(), F("pk").desc())),
        "age": Order(("-opened_at", "-id"), beside=BY_STATUS),
    }
    change_list_template = "workflows/admin/incident_list.html"
    page_template = "workflows/admin/incident.html"
    row_actions = (AcknowledgeIncident, ResolveIncident)

    @admin.display(description="What is stuck, and why")
    def why(self, incident: Incident) -> str:
        return incident.sentence

    @admin.display(description="Status", ordering="status")
    def status_shown(self, incident: Incident) -> SafeString:
        return incident_badge(incident)

    @admin.display(description="Age", ordering="opened_at")
    def age(self, incident: Incident) -> SafeString:
        opened = moment(incident.opened_at)
        return format_html('{} <span class="quiet">since {}</span>', age(incident), opened)

    @admin.display(description="Who works on it", empty_value="")
    def by(self, incident: Incident) -> str:
        return who(incident)

    def get_ordering(self, request: HttpRequest) -> Any:
        """Sort the most urgent first, and of those the newest."""
        return [urgency().asc(), F("opened_at").desc(), F("pk").desc()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        counted = kind_restarts.unresolved_counts()
        user = staff(request)
        may_restart = user.has_perms([operations.RESTART, "applications.view_loanapplication"])
        shown = {
            "title": "Incidents",
            "unresolved": counted["status"],
            "can_reconcile": user.has_perm(manual.RECONCILE),
            "restarts": self._restarts(counted["stuck"]) if may_restart else [],
        }
        return super().changelist_view(request, {**shown, **(extra_context or {})})

    @staticmethod
    def _restarts(stuck: dict[str, int]) -> list[tuple[str, int, str]]:
        """The kinds of which several applications are stuck: name, number and address."""
        return [
            (kind.label, stuck[kind.value], reverse(RESTART_KIND, args=[kind.value]))
            for kind in Incident.Kind
            if stuck.get(kind.value, 0) > 1
        ]

    def page_context(self, request: HttpRequest, row: Incident) -> dict[str, Any]:
        shown = IncidentPage(row, staff(request))
        return {
            "title": f"{row.get_kind_display()}: {row.application.reference}",
            "shown": shown,
            "buttons": shown.buttons(),
        }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Incident]:
        related = ("application", "execution", "message", "acknowledged_by", "resolved_by")
        return super().get_queryset(request).select_related(*related)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(reconcile_view)
        return [
            path("reconcile/", view, {"model_admin": self}, "workflows_incident_reconcile"),
            path(
                "restart/<str:kind>/",
                self.admin_site.admin_view(restart_kind_view),
                {"model_admin": self},
                "workflows_incident_restart_kind",
            ),
            *super().get_urls(),
        ]
