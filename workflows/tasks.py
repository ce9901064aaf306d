"""The one scheduled task: ``sweep``. A loop in the demo, a scheduled event on Lambda."""

import logging

from django.utils import timezone

from applications.models import ReviewTask
from applications.vocabulary import TaskStatus
from workflows import outbox, services

logger = logging.getLogger(__name__)
BATCH = 100


def sweep(event: object = None, context: object = None) -> dict[str, int]:  # noqa: ARG001
    """Send what is due, end waits whose time is over. Takes a Lambda event, needs none.

    Returns ``{"sent": n, "expired": n}``. Safe beside another sweep.
    """
    expired = sum(
        services.task_time_out(task_id=pk)
        for pk in ReviewTask.objects.filter(status=TaskStatus.OPEN, expires_at__lte=timezone.now())
        .order_by("pk")
        .values_list("pk", flat=True)[:BATCH]
    )
    sent = 0
    while left := outbox.send_due(limit=BATCH):
        sent += left
    return {"sent": sent, "expired": expired}
