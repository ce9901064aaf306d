"""What partners are told of: an event for each status that they know, and its deliveries.

Written in the transaction that changes the case; sent by the sweep.
"""

import json
import secrets
from datetime import UTC

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from applications.errors import NotPermitted
from applications.models import LoanApplication, Partner
from applications.vocabulary import Status
from workflows import outbox
from workflows.models import OutboxMessage, WebhookDelivery, WebhookEndpoint, WebhookEvent
from workflows.webhooks.vocabulary import TOLD

RESEND = "workflows.resend_webhookdelivery"


def event_publish(*, application: LoanApplication) -> WebhookEvent | None:
    """Tell the application's partner of its present status. The application must be locked.

    Nothing for an application of no partner, and for a status that partners are not told of.
    """
    type_ = TOLD.get(Status(application.status))
    if type_ is None or application.partner_id is None:
        return None
    now = timezone.now()
    payload = {
        "type": type_.value,
        "timestamp": now.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": {"reference": application.reference, "status": application.status},
    }
    event = WebhookEvent.objects.create(
        public_id=f"evt_{secrets.token_urlsafe(24)}".replace("-", "A"),
        partner_id=application.partner_id,
        application=application,
        type=type_.value,
        payload=json.dumps(payload),
        created_at=now,
    )
    for endpoint in _listening(event):
        _put(WebhookDelivery.objects.create(event=event, endpoint=endpoint))
    return event


def event_resend(*, event: WebhookEvent) -> int:
    """Send an event to every endpoint that is active now, anew; returns to how many.

    An endpoint that was made after the event gets it as well. What is on its way already is
    not put on the way twice.
    """
    with transaction.atomic():
        for endpoint in (endpoints := _listening(event)):
            delivery, made = WebhookDelivery.objects.get_or_create(event=event, endpoint=endpoint)
            if made:
                _put(delivery)
            else:
                _again(delivery)
    return len(endpoints)


def delivery_resend(*, delivery: WebhookDelivery, user: User) -> bool:
    """Send one delivery anew; false when it is on its way already. Raises ``NotPermitted``."""
    if not user.has_perm(RESEND):
        raise NotPermitted("You may not send a webhook again.")
    with transaction.atomic():
        return _again(delivery)


def events_of(*, partner: Partner) -> QuerySet[WebhookEvent]:
    """A partner's own events, newest first, with their deliveries: three queries in all."""
    return (
        WebhookEvent.objects.filter(partner=partner)
        .prefetch_related("deliveries__endpoint", "deliveries__tries")
        .order_by("-id")
    )


def _listening(event: WebhookEvent) -> list[WebhookEndpoint]:
    active = WebhookEndpoint.objects.filter(
        partner_id=event.partner_id, status=WebhookEndpoint.Status.ACTIVE
    ).order_by("pk")
    return [row for row in active if not row.event_types or event.type in row.event_types]


def _again(delivery: WebhookDelivery) -> bool:
    begun = (
        WebhookDelivery.objects.filter(pk=delivery.pk)
        .exclude(status=WebhookDelivery.Status.PENDING)
        .update(status=WebhookDelivery.Status.PENDING, round=F("round") + 1, delivered_at=None)
    )
    if begun:
        delivery.refresh_from_db()
        _put(delivery)
    return bool(begun)


def _put(delivery: WebhookDelivery) -> None:
    outbox.put(
        kind=OutboxMessage.Kind.WEBHOOK,
        key=f"webhook/{delivery.pk}/{delivery.round}",
        payload={"delivery": delivery.pk, "round": delivery.round},
    )
