"""Publish and resend webhook events: one for each status that partners know.

Written in the transaction that changes the application; delivered by the sweep.
"""

import json
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import batched
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Prefetch, QuerySet
from django.utils import timezone

from applications.choices import Status
from applications.models import LoanApplication
from audit.models import Action, AuditEntry
from audit.services import entries_record, entry_make, entry_record
from core.errors import DomainError, NotPermitted
from core.locking import locked
from partners.models import Partner
from webhooks.choices import EVENT_OF_STATUS, TEST
from webhooks.endpoints import CHANGE
from webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from workflows.models import OutboxMessage
from workflows.outbox import queue

RESEND = "webhooks.resend_webhookdelivery"
TOGETHER = 100  # deliveries of one transaction


class NoSuchEvent(DomainError):
    """The partner has no event with this id."""

    code = "not-found"
    title = "Not found"
    http_status = 404

    def __init__(self) -> None:
        super().__init__("There is no webhook event with this id.")


class NobodyListens(DomainError):
    code = "no-webhook-endpoint"
    title = "No active endpoint listens"

    def __init__(self, *, type_: str) -> None:
        super().__init__(f"None of your active endpoints listens to {type_}; nothing was sent.")


class DeliveryUnderWay(DomainError):
    code = "delivery-under-way"
    title = "The webhook is on its way"

    def __init__(self, delivery: str) -> None:
        super().__init__(f"{delivery} is on its way already.")


class EndpointDisabled(DomainError):
    code = "endpoint-disabled"
    title = "The endpoint is disabled"

    def __init__(self, url: str) -> None:
        super().__init__(f"{url} is disabled: enable it first.")


def event_publish(*, application: LoanApplication) -> WebhookEvent | None:
    """Publish the application's present status to its partner. The application must be locked.

    Four statements, however many endpoints listen. Nothing for an application of no partner, and
    for a status without an event type.
    """
    type_ = EVENT_OF_STATUS.get(Status(application.status))
    if type_ is None or application.partner_id is None:
        return None
    event = _publish(
        type_.value,
        {"reference": application.reference, "status": application.status},
        partner=application.partner_id,
        application=application,
    )
    _deliver(event, _listening(event))
    return event


def endpoint_test_check(*, endpoint: WebhookEndpoint, by: User) -> None:
    """Raise the reason why ``by`` may not send a test event to the endpoint now."""
    if not by.has_perm(CHANGE):
        raise NotPermitted("Only who sets up webhook endpoints sends a test event.")
    if endpoint.status != WebhookEndpoint.Status.ACTIVE:
        raise EndpointDisabled(endpoint.url)


@transaction.atomic
def endpoint_test(*, endpoint: WebhookEndpoint, by: User) -> WebhookDelivery:
    """Send a test event to one endpoint, whatever it listens to; return its delivery.

    It is signed, delivered and tried again as any other. Raises ``EndpointDisabled``,
    ``NotPermitted``.
    """
    endpoint_test_check(endpoint=endpoint, by=by)
    event = _publish(TEST, {"url": endpoint.url}, partner=endpoint.partner_id, application=None)
    delivery = _deliver(event, [endpoint])[0]
    entry_record(
        action=Action.OPERATED,
        message=f"A test event was sent to the webhook endpoint {endpoint.url}",
        actor=by,
        target=delivery,
        details={"event": event.public_id, "partner": endpoint.partner.name},
    )
    return delivery


@transaction.atomic
def event_resend(*, event: WebhookEvent, partner: Partner) -> int:
    """Send an event again to every active endpoint of its type; return to how many.

    ``partner`` asks for it. An endpoint that was made after the event gets it as well. A delivery
    that is pending is not queued twice. Raises ``NobodyListens``, and
    ``NoSuchEvent`` when the sweep deleted it a moment before.
    """
    if not locked(WebhookEvent.objects.filter(pk=event.pk)):
        raise NoSuchEvent
    endpoints = _listening(event)
    if not endpoints:
        raise NobodyListens(type_=event.type)
    deliveries = WebhookDelivery.objects.filter(event=event, endpoint__in=endpoints)
    _again(deliveries)
    known = set(deliveries.values_list("endpoint", flat=True))
    _deliver(event, [endpoint for endpoint in endpoints if endpoint.pk not in known])
    entry_record(
        action=Action.OPERATED,
        message=f"The webhook event {event.public_id} ({event.type}) was asked for again.",
        who=partner.name,
        is_partner=True,
        target=event,
        reference=_reference_of(event),
        details={"endpoints": len(endpoints)},
    )
    return len(endpoints)


def delivery_resend_check(*, delivery: WebhookDelivery, user: User) -> None:
    """Raise the reason why ``user`` may not send a delivery again now."""
    if not user.has_perm(RESEND):
        raise NotPermitted("Only Operations sends a webhook again.")
    if delivery.status == WebhookDelivery.Status.PENDING:
        raise DeliveryUnderWay(str(delivery))
    if delivery.endpoint.status != WebhookEndpoint.Status.ACTIVE:
        raise EndpointDisabled(delivery.endpoint.url)


@transaction.atomic
def delivery_resend(*, delivery: WebhookDelivery, user: User) -> bool:
    """Send one delivery again; return false when somebody else did a moment before.

    Raises ``DeliveryUnderWay``, ``EndpointDisabled``, ``NotPermitted``.
    """
    delivery_resend_check(delivery=delivery, user=user)
    again = _again(WebhookDelivery.objects.filter(pk=delivery.pk))
    entries_record([_resent(each, user) for each in again])
    return bool(again)


class Resent(NamedTuple):
    """The result for many: ``others`` had not failed, or their endpoint is disabled."""

    sent: int
    others: int


def deliveries_resend(*, deliveries: Iterable[int], user: User) -> Resent:
    """Send the failed ones of these (primary keys) again. Raises ``NotPermitted``.

    A hundred at a time are committed together, in the order of their keys.
    """
    if not user.has_perm(RESEND):
        raise NotPermitted("Only Operations sends a webhook again.")
    wanted = sorted(set(deliveries))
    sent = 0
    for batch in batched(wanted, TOGETHER):
        with transaction.atomic():
            failed = WebhookDelivery.objects.filter(
                pk__in=batch,
                status=WebhookDelivery.Status.FAILED,
                endpoint__status=WebhookEndpoint.Status.ACTIVE,
            )
            again = _again(failed)
            entries_record([_resent(delivery, user) for delivery in again])
        sent += len(again)
    return Resent(sent=sent, others=len(wanted) - sent)


def events_of(
    *,
    partner: Partner,
    type_: str | None = None,
    reference: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
) -> QuerySet[WebhookEvent]:
    """Read a partner's own events, with their deliveries: three queries in all.

    Without tests of its endpoints, which are about no application.
    """
    rows = WebhookEvent.objects.filter(partner=partner, application__isnull=False)
    if type_ is not None:
        rows = rows.filter(type=type_)
    if reference is not None:
        rows = rows.filter(application__reference=reference)
    if created_after is not None:
        rows = rows.filter(created_at__gt=created_after)
    if created_before is not None:
        rows = rows.filter(created_at__lt=created_before)
    deliveries = WebhookDelivery.objects.order_by("endpoint_id").select_related("endpoint")
    return rows.prefetch_related(Prefetch("deliveries", deliveries))


def event_get(*, public_id: str, partner: Partner) -> WebhookEvent:
    """Read one of a partner's own events. Raises ``NoSuchEvent``."""
    event = events_of(partner=partner).filter(public_id=public_id).first()
    if event is None:
        raise NoSuchEvent
    return event


def message_key(delivery: WebhookDelivery, number: int) -> str:
    """Return the key of the outbox message of a delivery's ``number``-th round."""
    return f"webhook/{delivery.pk}/{number}"


def next_tries(deliveries: Iterable[WebhookDelivery]) -> dict[int, datetime]:
    """Return when each of these that is under way is tried next, by primary key; one query."""
    keys = {
        message_key(delivery, delivery.round): delivery.pk
        for delivery in deliveries
        if delivery.status == WebhookDelivery.Status.PENDING
    }
    if not keys:
        return {}
    messages = OutboxMessage.objects.filter(key__in=keys, status=OutboxMessage.Status.PENDING)
    return {keys[key]: due_at for key, due_at in messages.values_list("key", "due_at")}


def _listening(event: WebhookEvent) -> list[WebhookEndpoint]:
    active = WebhookEndpoint.objects.filter(
        partner_id=event.partner_id, status=WebhookEndpoint.Status.ACTIVE
    ).order_by("pk")
    return [row for row in active if not row.event_types or event.type in row.event_types]


def _resent(delivery: WebhookDelivery, user: User) -> AuditEntry:
    return entry_make(
        action=Action.OPERATED,
        message=f"Sent again: {delivery}",
        actor=user,
        target=delivery,
        reference=_reference_of(delivery.event),
        details={"event": delivery.event.public_id, "round": delivery.round},
    )


def _reference_of(event: WebhookEvent) -> str:
    return event.application.reference if event.application is not None else ""


def _publish(
    type_: str,
    data: dict[str, Any],
    *,
    partner: int,
    application: LoanApplication | None,
) -> WebhookEvent:
    now = timezone.now()
    payload = {
        "type": type_,
        "timestamp": now.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": data,
    }
    return WebhookEvent.objects.create(
        public_id=f"evt_{secrets.token_urlsafe(24)}".replace("-", "A"),
        partner_id=partner,
        application=application,
        type=type_,
        payload=json.dumps(payload),
        created_at=now,
    )


def _deliver(event: WebhookEvent, endpoints: Iterable[WebhookEndpoint]) -> list[WebhookDelivery]:
    """Begin the deliveries of an event to these endpoints, which have none of it yet."""
    deliveries = WebhookDelivery.objects.bulk_create(
        WebhookDelivery(
            event=event,
            endpoint=endpoint,
            partner_id=event.partner_id,
            event_type=event.type,
        )
        for endpoint in endpoints
    )
    _put(deliveries)
    return deliveries


def _again(deliveries: QuerySet[WebhookDelivery]) -> list[WebhookDelivery]:
    """Begin another round of deliveries, but for the pending ones; returns those, as they are now.

    Three statements, however many there are.
    """
    ended = deliveries.exclude(status=WebhookDelivery.Status.PENDING)
    begun = list(locked(ended.select_related("event__application", "endpoint")))
    if not begun:
        return []
    changes: dict[str, Any] = {"status": WebhookDelivery.Status.PENDING, "delivered_at": None}
    WebhookDelivery.objects.filter(pk__in=[delivery.pk for delivery in begun]).update(
        round=F("round") + 1, **changes
    )
    for delivery in begun:
        delivery.round += 1
        delivery.status, delivery.delivered_at = changes.values()
    _put(begun)
    return begun


def _put(deliveries: Iterable[WebhookDelivery]) -> None:
    queue.put_many(
        OutboxMessage(
            kind=OutboxMessage.Kind.WEBHOOK,
            key=message_key(delivery, delivery.round),
            payload={"delivery": delivery.pk, "round": delivery.round},
            recipient=f"endpoint/{delivery.endpoint_id}",
        )
        for delivery in deliveries
    )
