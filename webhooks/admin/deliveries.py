"""Webhook deliveries in the admin: the list, the page of one with its attempts, the resend."""

import json
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from applications.admin import filters
from applications.admin.view_helpers import ApplicationColumn
from applications.references import LOOKS_LIKE_REFERENCE
from core.admin.base import ReadOnlyPageAdmin, staff
from core.admin.display import moment
from core.admin.orders import BY_STATUS, Order
from core.admin.paging import BoundedChangeList
from core.admin.row_actions import RowAction, RowActionsAdmin
from webhooks import events
from webhooks.admin.badges import delivery_badge
from webhooks.choices import TEST, EventType, event_words
from webhooks.models import WebhookAttempt, WebhookDelivery

TRIES_SHOWN = 50
MOST_AT_ONCE = 1000


class ByPartner(filters.ByPartner):
    """Filter by the partner of the endpoint; staff have no endpoints."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [row for row in super().lookups(request, model_admin) if row[0] != self.STAFF]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        return queryset.none() if self.chosen is None else queryset.filter(partner=self.chosen)


class ByType(filters.OneOf):
    title = "event"
    parameter_name = "event_type__exact"
    field = "event_type"
    options = [*EventType.choices, (TEST, "Test")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset if self.value() is None else queryset.filter(event_type=self.value())


class ResendDelivery(RowAction[WebhookDelivery]):
    """Start a delivery again, with all its attempts."""

    name = "resend"
    label = "Resend"
    sentence = (
        "The same event is sent again, with the same id and all its tries, the first of them now. "
        "A partner that has seen the id takes no notice."
    )

    def check(self) -> None:
        events.delivery_resend_check(delivery=self.row, user=self.user)

    def act(self) -> str:
        sent = events.delivery_resend(delivery=self.row, user=self.user)
        return "It is on its way again." if sent else "Somebody else was first: it is sent."


class DeliveryChangeList(BoundedChangeList):
    """Loads when the deliveries of the shown page are tried next: one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        found = events.next_tries(self.result_list)
        for delivery in self.result_list:
            vars(delivery)["next_try_at"] = found.get(delivery.pk)


class WebhookDeliveryAdmin(
    RowActionsAdmin[WebhookDelivery],
    ApplicationColumn,
    ReadOnlyPageAdmin[WebhookDelivery],
):
    changelist_class = DeliveryChangeList
    list_display = (
        "what",
        "application_shown",
        "partner",
        "endpoint",
        "status_shown",
        "attempts",
        "answer",
        "next_try",
        "created_at",
    )
    list_filter = ("status", ByType, ByPartner)
    list_select_related = ("event__application", "endpoint", "partner")
    counts_status = True
    ordering = ("-id",)
    # The order of ids is that of the time.
    orders = {
        "created_at": Order(("id",), beside=BY_STATUS),
        "status_shown": Order(("status", "-id"), beside=BY_STATUS),
    }
    search_fields = ("event__public_id",)
    keeps_search = True
    search_help_text = "The reference of an application, or the id of an event, in full."
    actions = ("resend_selected",)
    row_actions = (ResendDelivery,)
    page_template = "webhooks/admin/delivery.html"
    application_path = "event.application"
    empty_list_text = (
        "Each event that an endpoint of a partner listens to is delivered here, with every try "
        "and what the endpoint answered."
    )

    @admin.display(description="Event")
    def what(self, delivery: WebhookDelivery) -> str:
        return event_words(delivery.event_type)

    @admin.display(description="Status", ordering="status")
    def status_shown(self, delivery: WebhookDelivery) -> SafeString:
        return delivery_badge(delivery)

    @admin.display(description="Last answer")
    def answer(self, delivery: WebhookDelivery) -> str:
        return answer_of(delivery)

    @admin.display(description="Next try")
    def next_try(self, delivery: WebhookDelivery) -> SafeString | str:
        return next_try_of(delivery, getattr(delivery, "next_try_at", None))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[WebhookDelivery], search_term: str
    ) -> tuple[QuerySet[WebhookDelivery], bool]:
        """Find a whole reference or a whole event id; both are one index lookup."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if LOOKS_LIKE_REFERENCE.fullmatch(term):
            return queryset.filter(event__application__reference=term.upper()), False
        return queryset.filter(event__public_id=term), False

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return staff(request).has_perm(events.RESEND)

    @admin.action(permissions=["resend"], description="Resend selected failed webhooks")
    def resend_selected(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        pks = list(queryset.order_by("-id").values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
        if len(pks) > MOST_AT_ONCE:
            message = f"Nothing was sent: choose at most {MOST_AT_ONCE:,} at once."
            self.message_user(request, message, messages.ERROR)
            return
        done = events.deliveries_resend(deliveries=pks, user=staff(request))
        if done.sent:
            message = f"{done.sent} on the way again."
            self.message_user(request, message, messages.SUCCESS)
        if done.others:
            message = f"{done.others} left alone: not failed, or the endpoint is disabled."
            self.message_user(request, message, messages.WARNING)

    def page_context(self, request: HttpRequest, row: WebhookDelivery) -> dict[str, Any]:
        tries = WebhookAttempt.objects.filter(delivery=row).order_by("-id")
        next_try = events.next_tries([row]).get(row.pk)
        is_pending = row.status == WebhookDelivery.Status.PENDING
        return {
            "title": f"Webhook: {event_words(row.event_type).lower()}"
            + (f": {row.event.application.reference}" if row.event.application else ""),
            "badge": delivery_badge(row),
            "what": event_words(row.event_type),
            "payload": json.dumps(json.loads(row.event.payload), indent=2, ensure_ascii=False),
            "tries": list(tries[:TRIES_SHOWN]),
            "resent": row.round - 1,
            "next_try": next_try,
            "at_once": is_pending and (next_try is None or next_try <= timezone.now()),
            "buttons": self.row_buttons(request, row),
        }

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        return super().get_queryset(request).select_related(*self.list_select_related)


def answer_of(delivery: WebhookDelivery) -> str:
    """Return the status code of the last attempt, or what is known instead."""
    if delivery.last_attempt_at is None:
        return "Not tried yet"
    return str(delivery.last_status_code or "No answer")


def next_try_of(delivery: WebhookDelivery, at: datetime | None) -> SafeString | str:
    """Say when a delivery is tried next, or why it is not."""
    if delivery.status == WebhookDelivery.Status.DELIVERED:
        return "-"
    if delivery.status == WebhookDelivery.Status.FAILED:
        return "None: it was given up"
    return "At once" if at is None or at <= timezone.now() else moment(at)
