"""Webhook endpoints: added, rotated, disabled, enabled. A secret is shown once, where it is made.

``admin_view`` has every page of the admin answered with ``no-store``, so that page is kept
nowhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods

from core.admin.base import ReadOnlyAdmin, staff
from core.admin.display import badge, moment
from core.admin.forms import MomentField, show_refusal
from core.admin.view_helpers import confirmation
from partners.models import Partner
from webhooks import endpoints
from webhooks.admin.badges import delivery_badge
from webhooks.choices import EventType
from webhooks.endpoints import ADD, BOTH_SIGN, CHANGE, LONGEST_REASON, InvalidEndpoint
from webhooks.models import WebhookDelivery, WebhookEndpoint

if TYPE_CHECKING:
    PartnerField = forms.ModelChoiceField[Partner]
else:
    PartnerField = forms.ModelChoiceField

ONCE = "core/admin/confirm.html"
SECRET_PAGE = "webhooks/admin/webhook_secret.html"  # noqa: S105 - the name of a template


class EndpointForm(forms.Form):
    partner = PartnerField(queryset=Partner.objects.order_by("name"), empty_label="Choose one")
    url = forms.CharField(
        label="URL",
        max_length=500,
        help_text="Begins with https:// and leads to a public address.",
        widget=forms.URLInput(attrs={"size": 60}),
    )
    event_types = forms.MultipleChoiceField(
        label="Events",
        choices=EventType.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: all of them, those that are added later too.",
    )


class RotateForm(forms.Form):
    until = MomentField(
        label="The secret before signs as well until",
        required=False,
        help_text="Time for the partner to take the new one into use. Empty: it stops now.",
    )

    def clean_until(self) -> datetime:
        until: datetime | None = self.cleaned_data["until"]
        now = timezone.now()
        if until is not None and until <= now:
            raise forms.ValidationError("Enter a time in the future, or nothing.")
        return until or now


class WhyForm(forms.Form):
    reason = forms.CharField(
        label="Reason",
        max_length=LONGEST_REASON,
        help_text="Kept in the log, for staff.",
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60, "class": "reason"}),
    )


class WebhookEndpointAdmin(ReadOnlyAdmin[WebhookEndpoint]):
    list_display = ("url", "partner", "state", "told_of", "last_outcome", "created_at")
    list_filter = ("status",)
    list_select_related = ("partner",)
    sortable_by = ()
    nothing_said = (
        "A partner is told here what becomes of its applications. Add its endpoint; the secret "
        "that signs what is sent is shown once."
    )
    fields = (
        "partner",
        "url",
        "state",
        "told_of",
        "disabled_at",
        "disabled_why",
        "previous_until",
        "last_outcome",
        "created_at",
    )
    change_form_template = "webhooks/admin/endpoint_change_form.html"

    @admin.display(description="State")
    def state(self, endpoint: WebhookEndpoint) -> SafeString:
        active = endpoint.status == WebhookEndpoint.Status.ACTIVE
        return badge(endpoint.get_status_display(), "good" if active else "bad")

    @admin.display(description="Told of")
    def told_of(self, endpoint: WebhookEndpoint) -> str:
        chosen = [str(EventType(name).label) for name in endpoint.event_types]
        return ", ".join(chosen) or "Everything"

    @admin.display(description="Last delivery")
    def last_outcome(self, endpoint: WebhookEndpoint) -> SafeString | str:
        pk = getattr(endpoint, "last_pk", None)
        if pk is None:
            return "None yet"
        last = WebhookDelivery(
            pk=pk,
            status=getattr(endpoint, "last_status", ""),
            created_at=getattr(endpoint, "last_at", None) or endpoint.created_at,
        )
        return format_html("{} {}", delivery_badge(last), moment(last.created_at))

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        newest = WebhookDelivery.objects.filter(endpoint=OuterRef("pk")).order_by("-id")
        return (
            super()
            .get_queryset(request)
            .annotate(
                last_pk=Subquery(newest.values("pk")[:1]),
                last_status=Subquery(newest.values("status")[:1]),
                last_at=Subquery(newest.values("created_at")[:1]),
            )
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return staff(request).has_perm(ADD)

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",  # noqa: ARG002
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        return add_view(request, model_admin=self)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        obj = self.get_object(request, object_id)
        context = {
            **(extra_context or {}),
            "can_change": staff(request).has_perm(CHANGE),
            "is_active": obj is not None and obj.status == WebhookEndpoint.Status.ACTIVE,
        }
        return super().change_view(request, object_id, form_url, context)

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:pk>/rotate/",
                self.admin_site.admin_view(rotate_view),
                {"model_admin": self},
                name="webhooks_webhookendpoint_rotate",
            ),
            *(
                path(
                    f"<int:pk>/{name}/",
                    self.admin_site.admin_view(switch_view),
                    {"model_admin": self, "switch": switch},
                    name=f"webhooks_webhookendpoint_{name}",
                )
                for name, switch in SWITCHES.items()
            ),
            *super().get_urls(),
        ]


def endpoint_url(endpoint: WebhookEndpoint) -> str:
    return reverse("admin:webhooks_webhookendpoint_change", args=[endpoint.pk])


@require_http_methods(["GET", "HEAD", "POST"])
def add_view(request: HttpRequest, *, model_admin: WebhookEndpointAdmin) -> HttpResponse:
    """Make an endpoint and show its secret, this once: the answer is not kept anywhere."""
    if not model_admin.has_add_permission(request):
        raise PermissionDenied
    asked = request.GET.get("partner")
    form = EndpointForm(
        request.POST if request.method == "POST" else None, initial={"partner": asked}
    )
    made, secret = None, ""
    if form.is_valid():
        try:
            made, secret = endpoints.endpoint_create(by=staff(request), **form.cleaned_data)
        except InvalidEndpoint as refused:
            show_refusal(form, refused.errors)
    return confirmation(
        model_admin,
        request,
        SECRET_PAGE,
        title="Add a webhook endpoint",
        original=made,
        form=form,
        secret=secret,
        button="Add endpoint",
        tone="good",
    )


@require_http_methods(["GET", "HEAD", "POST"])
def rotate_view(
    request: HttpRequest, *, pk: int, model_admin: WebhookEndpointAdmin
) -> HttpResponse:
    """Make a new secret and show it, this once."""
    endpoint = _endpoint_or_refuse(request, pk)
    now = timezone.now()
    form = RotateForm(
        request.POST if request.method == "POST" else None, initial={"until": now + BOTH_SIGN}
    )
    secret = ""
    if form.is_valid():
        try:
            secret = endpoints.endpoint_rotate(
                endpoint=endpoint, by=staff(request), until=form.cleaned_data["until"]
            )
        except InvalidEndpoint as refused:
            show_refusal(form, refused.errors)
    sentence = "From now on a new secret signs what is sent. It is shown once, on the next page."
    if endpoint.previous_until is not None and endpoint.previous_until > now:
        sentence += (
            " There was a rotation already: the secret before that one still signs, and stops now."
        )
    return confirmation(
        model_admin,
        request,
        SECRET_PAGE,
        title=f"Rotate the secret: {endpoint}",
        original=endpoint,
        form=form,
        secret=secret,
        button="Make a new secret",
        tone="good",
        sentence=sentence,
    )


@dataclass(frozen=True)
class Switch:
    """One of the two ways to switch an endpoint; ``to`` is how it stands after it."""

    act: Callable[..., bool]
    button: str
    tone: str
    to: str
    sentence: str


SWITCHES = {
    "disable": Switch(
        act=endpoints.endpoint_disable,
        button="Disable",
        tone="bad",
        to="disabled",
        sentence="Nothing is sent there any more, and what is on its way there fails.",
    ),
    "enable": Switch(
        act=endpoints.endpoint_enable,
        button="Enable",
        tone="good",
        to="enabled",
        sentence=(
            "It is told of what happens from now on. What failed meanwhile can be sent again "
            "from the list of deliveries."
        ),
    ),
}


@require_http_methods(["GET", "HEAD", "POST"])
def switch_view(
    request: HttpRequest, *, pk: int, model_admin: WebhookEndpointAdmin, switch: Switch
) -> HttpResponse:
    endpoint = _endpoint_or_refuse(request, pk)
    form = WhyForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        switch.act(endpoint=endpoint, why=form.cleaned_data["reason"], by=staff(request))
        model_admin.message_user(request, f"{endpoint} is {switch.to}.", messages.SUCCESS)
        return HttpResponseRedirect(endpoint_url(endpoint))
    return confirmation(
        model_admin,
        request,
        ONCE,
        title=f"{switch.button}: {endpoint}",
        original=endpoint,
        form=form,
        button=switch.button,
        tone=switch.tone,
        sentence=switch.sentence,
    )


def _endpoint_or_refuse(request: HttpRequest, pk: int) -> WebhookEndpoint:
    """The endpoint, for someone who may change it. Raises 403 or 404."""
    if not staff(request).has_perm(CHANGE):
        raise PermissionDenied
    return get_object_or_404(WebhookEndpoint.objects.select_related("partner"), pk=pk)
