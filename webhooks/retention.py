"""Delete old webhook events and rotated secrets.

An event is deleted with its deliveries, their attempts and their outbox messages.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from core.locking import locked, locked_if_free
from webhooks.endpoints import secrets_forget
from webhooks.events import message_key
from webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEvent
from workflows.models import OutboxMessage

PENDING = WebhookDelivery.Status.PENDING
FAILED_LONGER = 3  # times as long, as it may still be sent again
AT_ONCE = 1000  # events, each with its deliveries and their attempts; and secrets


def forget() -> dict[str, int]:
    """Delete old events and rotated secrets. For the sweep."""
    now = timezone.now()
    return {
        "forgotten": webhooks_forget(now=now, limit=AT_ONCE),
        "secrets": secrets_forget(now=now, limit=AT_ONCE),
    }


def webhooks_forget(*, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` old settled events; return how many. For the sweep.

    Older than ``LOANOFFICE_WEBHOOK_DAYS`` days, and delivered before that too, or to nobody.
    What failed is kept three times as long; what is on its way stays.
    """
    keep = timedelta(days=settings.LOANOFFICE_WEBHOOK_DAYS)
    delivery = WebhookDelivery.objects.filter(event=OuterRef("pk"))
    wanted = Q(status=PENDING) | Q(delivered_at__gt=now - keep)
    failed = Q(
        status=WebhookDelivery.Status.FAILED, event__created_at__gt=now - FAILED_LONGER * keep
    )
    old = (
        WebhookEvent.objects.filter(created_at__lt=now - keep)
        .exclude(Exists(delivery.filter(wanted | failed)))
        .order_by("created_at", "id")
    )
    if not old.exists():  # a read without a lock: mostly there is nothing to delete
        return 0
    with transaction.atomic():
        events = set(locked_if_free(old).values_list("pk", flat=True)[:limit])
        deliveries = list(locked(WebhookDelivery.objects.filter(event__in=events)))
        # One that was sent again between the read and the lock stays.
        events -= {row.event_id for row in deliveries if row.status == PENDING}
        gone = [row for row in deliveries if row.event_id in events]
        keys = [message_key(row, number) for row in gone for number in range(1, row.round + 1)]
        pks = [row.pk for row in gone]
        WebhookAttempt.objects.filter(delivery__in=pks).delete()
        WebhookDelivery.objects.filter(pk__in=pks).delete()
        OutboxMessage.objects.filter(key__in=keys).delete()
        WebhookEvent.objects.filter(pk__in=events).delete()
    return len(events)
