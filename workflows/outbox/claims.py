"""Claim messages that are due, under a lease, so that several senders can work side by side."""

from datetime import timedelta

from django.db import connection, models, transaction
from django.utils import timezone

from workflows.models import OutboxMessage

# Longer than the slowest batch of ``queue``: two rounds of one call's longest wait, 18 s.
LEASE = timedelta(seconds=45)


def due(rows: models.QuerySet[OutboxMessage]) -> models.QuerySet[OutboxMessage]:
    """Return those of the rows that wait for their time no longer and that nobody has claimed."""
    now = timezone.now()
    free = models.Q(leased_until__isnull=True) | models.Q(leased_until__lt=now)
    return rows.filter(free, status=OutboxMessage.Status.PENDING, due_at__lte=now)


def claim(rows: models.QuerySet[OutboxMessage], *, limit: int) -> list[OutboxMessage]:
    """Claim at most so many, those that are due longest first; others keep off them meanwhile."""
    skip = connection.features.has_select_for_update_skip_locked
    with transaction.atomic():
        claimed = list(
            due(rows)
            .select_for_update(skip_locked=skip, of=("self",), no_key=True)
            .select_related("execution", "callback", "application")
            .order_by("due_at", "id")[:limit]
        )
        OutboxMessage.objects.filter(pk__in=[message.pk for message in claimed]).update(
            leased_until=timezone.now() + LEASE, attempts=models.F("attempts") + 1
        )
    for message in claimed:
        message.attempts += 1
    return claimed
