"""Webhook deliveries: a list that ends, the page of one with every try, and sending again."""

import json
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

from applications.admin import filters
from applications.admin.view_helpers import case_link
from core.admin.base import ReadOnlyAdmin, staff
from core.admin.view_helpers import confirmation
from core.errors import DomainError
from webhooks import events
from webhooks.admin.badges import delivery_badge
from webhooks.choices import EventType
from webhooks.models import WebhookAttempt, WebhookDelivery
from workflows.admin.forms import NothingForm

TRIES_SHOWN = 50
MOST_AT_ONCE = 1000


class ByPartner(filters.ByPartner):
    """Whose endpoint it is; staff have none."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [row for row in super().lookups(request, model_admin) if row[0] != self.STAFF]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        if self.value() is None:
            return queryset
        return queryset.none() if self.chosen is None else queryset.filter(partner=self.chosen)


class ByType(filters.OneOf):
    title = "event"
    parameter_name = "event_type__exact"
    field = "event_type"
    options = EventType.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        return queryset if self.value() is None else queryset.filter(event_type=self.value())


class WebhookDeliveryAdmin(ReadOnlyAdmin[WebhookDelivery]):
    list_display = (
        "what",
        "case",
        "partner",
        "endpoint",
        "status_shown",
        "attempts",
        "answer",
        "created_at",
    )
    list_filter = ("status", ByType, ByPartner)
    list_select_related = ("event__application", "endpoint", "partner")
    ordering = ("-id",)
    sortable_by = ()
    search_fields = ("event__public_id",)
    search_help_text = "The reference of an application, or the id of an event, in full."
    actions = ("resend_selected",)
    nothing_said = (
        "Each event that an endpoint of a partner listens to is delivered here, with every try "
        "and what the endpoint answered."
    )

    @admin.display(description="Event")
    def what(self, delivery: WebhookDelivery) -> str:
        return delivery.event_type

    @admin.display(description="Application")
    def case(self, delivery: WebhookDelivery) -> SafeString:
        return case_link(delivery.event.application)

    @admin.display(description="Status")
    def status_shown(self, delivery: WebhookDelivery) -> SafeString:
        return delivery_badge(delivery)

    @admin.display(description="Last answer")
    def answer(self, delivery: WebhookDelivery) -> str:
        return answer_of(delivery)

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: QuerySet[WebhookDelivery],
        search_term: str,
    ) -> tuple[QuerySet[WebhookDelivery], bool]:
        """A whole reference or a whole id: one look into an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if filters.LOOKS_LIKE_REFERENCE.fullmatch(term):
            return queryset.filter(event__application__reference=term.upper()), False
        return queryset.filter(event__public_id=term), False

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return staff(request).has_perm(events.RESEND)

    @admin.action(permissions=["resend"], description="Resend selected failed webhooks")
    def resend_selected(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        pks = list(queryset.order_by("-id").values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
        if len(pks) > MOST_AT_ONCE:
            said = f"Nothing was sent: choose at most {MOST_AT_ONCE:,} at once."
            self.message_user(request, said, messages.ERROR)
            return
        done = events.deliveries_resend(deliveries=pks, user=staff(request))
        if done.sent:
            said = f"{done.sent} on the way again."
            self.message_user(request, said, messages.SUCCESS)
        if done.others:
            said = f"{done.others} left alone: not failed, or the endpoint is disabled."
            self.message_user(request, said, messages.WARNING)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        """The page of one delivery. It only shows."""
        delivery = self.get_object(request, unquote(object_id))
        if delivery is None:
            return self._get_obj_does_not_exist_redirect(  # type: ignore[attr-defined,no-any-return]
                request, self.opts, object_id
            )
        if request.method not in {"GET", "HEAD"} or not self.has_view_permission(request, delivery):
            raise PermissionDenied
        tries = WebhookAttempt.objects.filter(delivery=delivery).order_by("-id")
        return confirmation(
            self,
            request,
            "webhooks/admin/delivery.html",
            title=f"Webhook {delivery.event_type}: {delivery.event.application.reference}",
            original=delivery,
            badge=delivery_badge(delivery),
            payload=json.dumps(json.loads(delivery.event.payload), indent=2, ensure_ascii=False),
            tries=list(tries[:TRIES_SHOWN]),
            can_resend=_may_resend(request, delivery),
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:pk>/resend/",
                self.admin_site.admin_view(resend_view),
                {"model_admin": self},
                name="webhooks_webhookdelivery_resend",
            ),
            *super().get_urls(),
        ]


def answer_of(delivery: WebhookDelivery) -> str:
    """What the last try was answered, in a word."""
    if delivery.last_attempt_at is None:
        return "Not tried yet"
    return str(delivery.last_status_code or "No answer")


def delivery_url(delivery: WebhookDelivery) -> str:
    return reverse("admin:webhooks_webhookdelivery_change", args=[delivery.pk])


@require_http_methods(["GET", "HEAD", "POST"])
def resend_view(
    request: HttpRequest, *, pk: int, model_admin: WebhookDeliveryAdmin
) -> HttpResponse:
    """Begin a delivery anew, with all its tries."""
    delivery = get_object_or_404(model_admin.get_queryset(request), pk=pk)
    if not model_admin.has_view_permission(request, delivery):
        raise PermissionDenied
    user = staff(request)
    try:
        events.delivery_resend_check(delivery=delivery, user=user)
        if request.method == "POST":
            sent = events.delivery_resend(delivery=delivery, user=user)
            said = "It is on its way again." if sent else "Somebody else was first: it is sent."
            model_admin.message_user(request, said, messages.SUCCESS)
            return HttpResponseRedirect(delivery_url(delivery))
    except DomainError as refused:
        model_admin.message_user(request, str(refused), messages.ERROR)
        return HttpResponseRedirect(delivery_url(delivery))
    return confirmation(
        model_admin,
        request,
        "core/admin/confirm.html",
        title=f"Resend: {delivery}",
        original=delivery,
        form=NothingForm(),
        button="Resend",
        tone="good",
        sentence=(
            "The same event leaves again, with the same id and all its tries, the first of them "
            "now. A partner that has seen the id takes no notice."
        ),
    )


def _may_resend(request: HttpRequest, delivery: WebhookDelivery) -> bool:
    try:
        events.delivery_resend_check(delivery=delivery, user=staff(request))
    except DomainError:
        return False
    return True
