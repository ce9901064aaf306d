"""Webhook endpoints in the admin: added, rotated, disabled, enabled."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.admin.base import ReadOnlyAdmin, staff
from core.admin.display import badge, moment
from core.admin.forms import MomentField
from core.admin.row_actions import Button, RowAction, RowActionsAdmin, SecretAction, row_url
from partners.models import Partner
from webhooks import endpoints, events
from webhooks.admin.badges import delivery_badge
from webhooks.admin.deliveries import next_try_of
from webhooks.choices import EventType
from webhooks.endpoints import ADD, BOTH_SIGN, CHANGE, LONGEST_REASON
from webhooks.models import WebhookDelivery, WebhookEndpoint

if TYPE_CHECKING:
    PartnerField = forms.ModelChoiceField[Partner]
else:
    PartnerField = forms.ModelChoiceField


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


class EndpointSecret(SecretAction[WebhookEndpoint]):
    """An action that makes a signing secret and shows it once."""

    element_id = "issued-secret"

    def name_of_secret(self) -> str:
        return f"the signing secret of {self.row}"

    def then(self) -> tuple[str, str]:
        return row_url(self.row), "Back to the endpoint"

    def next_steps(self) -> list[Button]:
        return SendTest.button_for(self.row, self.user)


class AddEndpoint(EndpointSecret):
    """Make an endpoint and its secret."""

    button = "Add endpoint"
    permissions = (ADD,)
    form_class = EndpointForm

    def get_row(self) -> WebhookEndpoint:  # type: ignore[override]
        """Return an endpoint that is not stored yet."""
        if not self.user.has_perms(self.permissions):
            raise PermissionDenied
        return WebhookEndpoint()

    def title(self) -> str:
        return "The webhook endpoint was added" if self.row.pk else "Add a webhook endpoint"

    def initial(self) -> dict[str, Any]:
        return {"partner": self.request.GET.get("partner")}

    def back(self) -> str:
        return reverse("admin:webhooks_webhookendpoint_changelist")

    @contextmanager
    def around(self) -> Iterator[None]:
        endpoints.endpoint_check(
            url=self.typed["url"], event_types=self.typed["event_types"], by=self.user
        )
        yield

    def make(self) -> str:
        self.row, secret = endpoints.endpoint_create(by=self.user, checked=True, **self.typed)
        return secret


class RotateSecret(EndpointSecret):
    """Make a new secret, which signs from now on."""

    name = "rotate"
    label = "Rotate the secret"
    button = "Make a new secret"
    permissions = (CHANGE,)
    form_class = RotateForm

    def initial(self) -> dict[str, Any]:
        return {"until": timezone.now() + BOTH_SIGN}

    def explanation(self) -> str:
        sentence = (
            "From now on a new secret signs what is sent. It is shown once, on the next page."
        )
        until = self.row.previous_until
        if until is not None and until > timezone.now():
            sentence += (
                " There was a rotation already: the secret before that one still signs, and "
                "stops now."
            )
        return sentence

    def make(self) -> str:
        return endpoints.endpoint_rotate(endpoint=self.row, by=self.user, until=self.typed["until"])


class DisableEndpoint(RowAction[WebhookEndpoint]):
    name = "disable"
    label = "Disable"
    tone = "bad"
    sentence = "Nothing is sent there any more, and what is on its way there fails."
    permissions = (CHANGE,)
    form_class = WhyForm

    def is_offered(self) -> bool:
        return super().is_offered() and self.row.status == WebhookEndpoint.Status.ACTIVE

    def act(self) -> str:
        endpoints.endpoint_disable(endpoint=self.row, why=self.typed["reason"], by=self.user)
        return f"{self.row} is disabled."


class EnableEndpoint(RowAction[WebhookEndpoint]):
    name = "enable"
    label = "Enable"
    sentence = (
        "Events are sent to it from now on. What failed meanwhile can be sent again from "
        "the list of deliveries."
    )
    permissions = (CHANGE,)
    form_class = WhyForm

    def is_offered(self) -> bool:
        return super().is_offered() and self.row.status != WebhookEndpoint.Status.ACTIVE

    def act(self) -> str:
        endpoints.endpoint_enable(endpoint=self.row, why=self.typed["reason"], by=self.user)
        return f"{self.row} is enabled."


class SendTest(RowAction[WebhookEndpoint]):
    """Send a test event to the endpoint, and show what becomes of it."""

    name = "test"
    label = "Send a test event"
    permissions = (CHANGE,)
    sentence = (
        "The endpoint gets a test event, signed as any other, whatever it listens "
        "to. It is about no application. The next page shows what it answers."
    )

    def check(self) -> None:
        events.endpoint_test_check(endpoint=self.row, by=self.user)

    def act(self) -> str | HttpResponse:
        delivery = events.endpoint_test(endpoint=self.row, by=self.user)
        if not self.user.has_perm("webhooks.view_webhookdelivery"):
            return "A test event is on its way."
        message = "A test event is on its way. This page shows what the endpoint answers."
        self.model_admin.message_user(self.request, message, messages.SUCCESS)
        return HttpResponseRedirect(row_url(delivery))


class WebhookEndpointAdmin(RowActionsAdmin[WebhookEndpoint], ReadOnlyAdmin[WebhookEndpoint]):
    list_display = ("url", "partner", "state", "events_shown", "last_outcome", "created_at")
    list_filter = ("status",)
    list_select_related = ("partner",)
    sortable_by = ()
    empty_list_text = (
        "Events about a partner's applications are sent to its endpoint. Add one; the secret "
        "that signs what is sent is shown once."
    )
    fields = (
        "partner",
        "url",
        "state",
        "events_shown",
        "disabled_at",
        "reason",
        "old_secret",
        "last_outcome",
        "next_try",
        "created_at",
    )
    row_actions = (SendTest, RotateSecret, DisableEndpoint, EnableEndpoint)

    @admin.display(description="State")
    def state(self, endpoint: WebhookEndpoint) -> SafeString:
        active = endpoint.status == WebhookEndpoint.Status.ACTIVE
        return badge(endpoint.get_status_display(), "good" if active else "bad")

    @admin.display(description="Disabled because")
    def reason(self, endpoint: WebhookEndpoint) -> str:
        return endpoint.disabled_why

    @admin.display(description="The secret before signs as well until")
    def old_secret(self, endpoint: WebhookEndpoint) -> SafeString | str:
        until = endpoint.previous_until
        return "-" if until is None else moment(until)

    @admin.display(description="Events")
    def events_shown(self, endpoint: WebhookEndpoint) -> str:
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

    @admin.display(description="Next try")
    def next_try(self, endpoint: WebhookEndpoint) -> SafeString | str:
        """When the oldest delivery that is under way is tried next."""
        waiting = WebhookDelivery.objects.filter(
            endpoint=endpoint, status=WebhookDelivery.Status.PENDING
        )
        oldest = waiting.order_by("pk").first()
        if oldest is None:
            return "Nothing is under way"
        return next_try_of(oldest, events.next_tries([oldest]).get(oldest.pk))

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
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return cast("HttpResponse", AddEndpoint.as_view(model_admin=self)(request))

    def row_buttons(self, request: HttpRequest, row: WebhookEndpoint) -> list[Button]:
        buttons = super().row_buttons(request, row)
        if not staff(request).has_perm("webhooks.view_webhookdelivery"):
            return buttons
        url = reverse(
            "admin:webhooks_webhookdelivery_changelist",
            query={"partner__id__exact": row.partner_id},
        )
        return [Button(key="deliveries", label="Deliveries", url=url, acts=False), *buttons]
