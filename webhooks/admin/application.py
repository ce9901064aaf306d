"""The part of webhooks on an application's page and timeline: deliveries to its partner."""

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property

from django.contrib.auth.models import User
from django.http import HttpRequest

from applications.admin.application_page import Panel
from applications.models import LoanApplication
from webhooks.admin.badges import delivery_badge
from webhooks.choices import event_words
from webhooks.events import RESEND
from webhooks.models import WebhookDelivery
from workflows.admin.application import WorkflowApplicationAdmin, WorkflowApplicationPage
from workflows.admin.timeline import ALSO_DELIVERED, Line, Source

MOST_WEBHOOKS = 50  # shown


class WebhookApplicationPage(WorkflowApplicationPage):
    """One application as one person may see it, with its webhooks."""

    @cached_property
    def webhooks(self) -> list[WebhookDelivery]:
        """The deliveries to its partner, oldest first."""
        if self.application.partner_id is None:
            return []
        rows = WebhookDelivery.objects.filter(event__application=self.application)
        return list(rows.select_related("endpoint").order_by("pk")[:MOST_WEBHOOKS])

    def panels(self) -> list[Panel]:
        shown = super().panels()
        if self.user.has_perm(RESEND) and self.webhooks:
            rows = [
                {"delivery": row, "what": event_words(row.event_type), "badge": delivery_badge(row)}
                for row in self.webhooks
            ]
            shown.append(Panel("webhooks", "Webhooks", "webhooks/admin/webhooks.html", rows))
        return shown


class WebhookApplicationAdmin(WorkflowApplicationAdmin):
    """The application's admin with its webhooks."""

    page_class = WebhookApplicationPage

    def application_fingerprint(
        self, application: LoanApplication, request: HttpRequest, now: datetime
    ) -> list[object]:
        """Add the status of each delivery."""
        return [
            *super().application_fingerprint(application, request, now),
            _deliveries(application),
        ]


def _deliveries(application: LoanApplication) -> list[object]:
    if application.partner_id is None:
        return []
    rows = WebhookDelivery.objects.filter(event__application=application).order_by("pk")
    return list(rows.values_list("pk", "status")[:MOST_WEBHOOKS])


def delivery_lines(application: LoanApplication, user: User) -> Iterator[Line]:
    """Yield the timeline's lines of deliveries, by endpoint."""
    if application.partner_id is None or not user.has_perm("webhooks.view_webhookdelivery"):
        return
    deliveries = WebhookDelivery.objects.filter(event__application=application)
    for delivery in deliveries.select_related("endpoint").order_by("pk"):
        what = f"Webhook “{event_words(delivery.event_type).lower()}”"
        to = (("to", delivery.endpoint.url),)
        yield Line(delivery.created_at, Source.DELIVERY, f"{what}: queued", facts=to)
        at = delivery.last_attempt_at
        if at is None:
            continue
        answer = str(delivery.last_status_code or "none")
        facts = (*to, ("tries", str(delivery.attempts)), ("last answer", answer))
        failed = delivery.status == WebhookDelivery.Status.FAILED
        result = "given up" if failed else "to be tried again"
        if delivery.status == WebhookDelivery.Status.DELIVERED:
            result = "delivered"
        yield Line(at, Source.DELIVERY, f"{what}: {result}", facts=facts, is_bad=failed)


ALSO_DELIVERED.append(delivery_lines)
