"""What is stuck and why: the list, and the page of one incident with the buttons that mend it."""

from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Count, F, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.views.decorators.http import require_http_methods

from applications.admin.application_page import Button
from applications.admin.view_helpers import case_link
from applications.models import ApplicationEvent, Disbursement
from applications.services import intake
from core.admin.base import ReadOnlyAdmin, staff
from core.admin.display import moment
from core.admin.view_helpers import confirmation
from core.errors import DomainError
from workflows import incidents, operations
from workflows.admin import operator_actions
from workflows.admin.badges import incident_badge, message_badge
from workflows.admin.forms import NoteForm, NothingForm
from workflows.admin.links import incident_url
from workflows.admin.reconcile import reconcile_view
from workflows.models import Incident, urgency
from workflows.reconcile import manual

ABOUT_MONEY = (Incident.Kind.PAYOUT_UNKNOWN, Incident.Kind.PAYOUT_REFUSED)
# The lines that the buttons of Operations leave.
DONE_BY_HAND = (
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


class IncidentAdmin(ReadOnlyAdmin[Incident]):
    list_display = ("why", "status_shown", "kind", "case", "age", "by")
    list_filter = ("status", "kind")
    sortable_by = ()
    change_list_template = "workflows/admin/incident_list.html"

    @admin.display(description="What is stuck, and why")
    def why(self, incident: Incident) -> str:
        return incident.sentence

    @admin.display(description="Status")
    def status_shown(self, incident: Incident) -> SafeString:
        return incident_badge(incident)

    @admin.display(description="Application")
    def case(self, incident: Incident) -> SafeString:
        return case_link(incident.application)

    @admin.display(description="Age")
    def age(self, incident: Incident) -> SafeString:
        opened = moment(incident.opened_at)
        return format_html('{} <span class="quiet">since {}</span>', age(incident), opened)

    @admin.display(description="Who works on it", empty_value="")
    def by(self, incident: Incident) -> str:
        return who(incident)

    def get_ordering(self, request: HttpRequest) -> Any:  # noqa: ARG002
        """What needs somebody first, and of that the newest."""
        return [urgency().asc(), F("opened_at").desc(), F("pk").desc()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        counted = Incident.objects.exclude(status=Incident.Status.RESOLVED).values_list("status")
        shown = {
            "title": "Incidents",
            "unresolved": dict(counted.annotate(number=Count("pk")).order_by()),
            "can_reconcile": staff(request).has_perm(manual.RECONCILE),
        }
        return super().changelist_view(request, {**shown, **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        """The page of one incident. It only shows; each button leads to a page that asks."""
        incident = self.get_object(request, unquote(object_id))
        if incident is None:
            return self._get_obj_does_not_exist_redirect(  # type: ignore[attr-defined,no-any-return]
                request, self.opts, object_id
            )
        if request.method not in {"GET", "HEAD"} or not self.has_view_permission(request, incident):
            raise PermissionDenied
        return confirmation(
            self,
            request,
            "workflows/admin/incident.html",
            title=f"{incident.get_kind_display()}: {incident.application.reference}",
            original=incident,
            shown=IncidentShown(incident, staff(request)),
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Incident]:
        related = ("application", "execution", "message", "acknowledged_by", "resolved_by")
        return super().get_queryset(request).select_related(*related)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        name = "workflows_incident_%s"
        return [
            path("reconcile/", wrap(reconcile_view), {"model_admin": self}, name % "reconcile"),
            path(
                "<int:pk>/acknowledge/",
                wrap(acknowledge_view),
                {"model_admin": self},
                name % "acknowledge",
            ),
            path("<int:pk>/resolve/", wrap(resolve_view), {"model_admin": self}, name % "resolve"),
            *super().get_urls(),
        ]


class IncidentShown:
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
        """May this person resolve it by hand, and the sentence that says why not."""
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
        """What this person may press now; nothing once the incident is resolved."""
        if self.is_resolved:
            return []
        found = [
            *self._acknowledge(),
            *self._resend(),
            *self._on_the_case(),
        ]
        if self._resolving[0]:
            url = reverse("admin:workflows_incident_resolve", args=[self.incident.pk])
            found.append(Button(key="resolve", label="Mark resolved", url=url, tone="quiet"))
        return found

    def _acknowledge(self) -> list[Button]:
        if self.incident.status != Incident.Status.OPEN:
            return []
        if not self.user.has_perm(incidents.PERMISSION):
            return []
        url = reverse("admin:workflows_incident_acknowledge", args=[self.incident.pk])
        return [Button(key="acknowledge", label="Acknowledge", url=url, tone="quiet")]

    def _resend(self) -> list[Button]:
        message = self.incident.message
        if message is None or not self.user.has_perm("workflows.view_outboxmessage"):
            return []
        try:
            operations.resend_check(message=message, user=self.user)
        except DomainError:
            return []
        url = reverse(
            "admin:workflows_outboxmessage_resend",
            args=[message.pk],
            query={"incident": self.incident.pk},
        )
        return [Button(key="resend", label="Resend", url=url, tone="good")]

    def _on_the_case(self) -> list[Button]:
        """Those of the case: they ask on its pages, which this person must be able to see."""
        if not self.user.has_perm("applications.view_loanapplication"):
            return []
        found = operator_actions.buttons(
            (*operator_actions.MENDS, *operator_actions.HOLDS),
            application=self.application,
            user=self.user,
            incident=self.incident,
        )
        try:
            intake.withdrawal_check(application=self.application, user=self.user)
        except DomainError:
            return found
        url = reverse("admin:applications_loanapplication_withdraw", args=[self.application.pk])
        return [*found, Button(key="withdraw", label="Withdraw", url=url, tone="quiet")]

    @cached_property
    def payout(self) -> Disbursement | None:
        """The ledger's row, where the incident is about the money."""
        if self.incident.kind not in ABOUT_MONEY:
            return None
        return Disbursement.objects.filter(application=self.application).first()

    @cached_property
    def others(self) -> list[Incident]:
        """What else is open about the same case."""
        return list(
            Incident.objects.filter(application=self.application)
            .exclude(status=Incident.Status.RESOLVED)
            .exclude(pk=self.incident.pk)
        )

    @cached_property
    def done(self) -> list[ApplicationEvent]:
        """What people did about the case since this was opened, as the log has it."""
        until = self.incident.resolved_at or timezone.now()
        meanwhile = Q(at__gte=self.incident.opened_at, at__lte=until)
        events = ApplicationEvent.objects.filter(
            meanwhile | Q(data__incident=str(self.incident.pk)),
            application=self.application,
            kind__in=DONE_BY_HAND,
        )
        return list(events.select_related("actor", "partner"))


def age(incident: Incident) -> str:
    """How long it has been, or was, unresolved: one unit."""
    until: datetime = incident.resolved_at or timezone.now()
    if until - incident.opened_at < timedelta(minutes=1):
        return "under a minute"
    return timesince(incident.opened_at, until, depth=1)


def who(incident: Incident) -> str:
    """Who works on it, or resolved it; empty when nobody does."""
    if incident.status == Incident.Status.RESOLVED:
        by = incident.resolved_by
        return f"Resolved by {by.get_username()}" if by is not None else "Resolved by itself"
    return incident.acknowledged_by.get_username() if incident.acknowledged_by else ""


def incident_or_refuse(model_admin: IncidentAdmin, request: HttpRequest, pk: int) -> Incident:
    """The incident, for someone who may look at it. Raises 404 or 403."""
    incident = get_object_or_404(model_admin.get_queryset(request), pk=pk)
    if not model_admin.has_view_permission(request, incident):
        raise PermissionDenied
    return incident


@require_http_methods(["GET", "HEAD", "POST"])
def acknowledge_view(request: HttpRequest, *, pk: int, model_admin: IncidentAdmin) -> HttpResponse:
    """Say that one is looking at it."""
    incident = incident_or_refuse(model_admin, request, pk)
    user = staff(request)
    try:
        incidents.incident_check(user=user)
        if request.method == "POST":
            incident = incidents.incident_acknowledge(incident=incident, user=user)
    except DomainError as refused:
        return _back(model_admin, request, incident, str(refused), messages.ERROR)
    if incident.status != Incident.Status.OPEN:
        mine = incident.acknowledged_by == user
        said = "You work on it now." if mine else f"Somebody was first: {who(incident)}."
        return _back(model_admin, request, incident, said, messages.SUCCESS)
    return confirmation(
        model_admin,
        request,
        "core/admin/confirm.html",
        title=f"Acknowledge: {incident.application.reference}",
        original=incident,
        form=NothingForm(),
        button="Acknowledge",
        tone="good",
        sentence="It shows that you work on it. It stays unresolved until somebody mends it.",
    )


@require_http_methods(["GET", "HEAD", "POST"])
def resolve_view(request: HttpRequest, *, pk: int, model_admin: IncidentAdmin) -> HttpResponse:
    """Close it by hand, with a note."""
    incident = incident_or_refuse(model_admin, request, pk)
    user = staff(request)
    form = NoteForm(request.POST if request.method == "POST" else None)
    try:
        incidents.incident_check(user=user)
        if incident.status == Incident.Status.RESOLVED:
            return _back(model_admin, request, incident, f"{who(incident)}.", messages.SUCCESS)
        incidents.resolve_check(incident=incident, user=user)
        if form.is_valid():
            incidents.incident_resolve(incident=incident, user=user, note=form.cleaned_data["note"])
            return _back(model_admin, request, incident, "It is resolved.", messages.SUCCESS)
    except DomainError as refused:
        return _back(model_admin, request, incident, str(refused), messages.ERROR)
    return confirmation(
        model_admin,
        request,
        "core/admin/confirm.html",
        title=f"Mark resolved: {incident.application.reference}",
        original=incident,
        form=form,
        button="Mark resolved",
        tone="good",
        sentence="Nothing but the incident changes: say what mended what was stuck.",
    )


def _back(
    model_admin: IncidentAdmin,
    request: HttpRequest,
    incident: Incident,
    sentence: str,
    level: int,
) -> HttpResponse:
    """The incident's page, read again, with a sentence on top."""
    model_admin.message_user(request, sentence, level)
    return HttpResponseRedirect(incident_url(incident.pk))
