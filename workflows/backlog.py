"""Read how much waits in the office: for the row of each sweep, its metrics and the System page."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min

from core import metrics
from reviews.choices import TaskStatus
from reviews.models import ReviewTask
from workflows.models import Incident, OutboxMessage


@dataclass(frozen=True)
class Backlog:
    """The work that waits at one moment. ``outbox_oldest_seconds`` is of the oldest message.

    A message is as old as its row, whenever it is tried again; 0 when none is pending.
    """

    outbox_pending: int
    outbox_oldest_seconds: int
    incidents_open: int
    tasks_overdue: int


def backlog_read(*, now: datetime) -> Backlog:
    """Count what waits now; three queries, each by an index."""
    pending = OutboxMessage.objects.filter(status=OutboxMessage.Status.PENDING)
    found = pending.order_by().aggregate(many=Count("pk"), oldest=Min("created_at"))
    oldest: datetime | None = found["oldest"]
    return Backlog(
        outbox_pending=found["many"],
        outbox_oldest_seconds=0 if oldest is None else max(0, int((now - oldest).total_seconds())),
        incidents_open=Incident.objects.filter(status=Incident.Status.OPEN).count(),
        tasks_overdue=ReviewTask.objects.filter(status=TaskStatus.OPEN, due_at__lte=now).count(),
    )


def backlog_count(backlog: Backlog) -> None:
    """Count a sweep that came to its end, with the backlog that it left: the gauges' metrics."""
    metrics.record(
        {
            metrics.SWEEP_RAN: 1,
            metrics.OUTBOX_PENDING: backlog.outbox_pending,
            metrics.OUTBOX_OLDEST_SECONDS: backlog.outbox_oldest_seconds,
            metrics.INCIDENTS_OPEN: backlog.incidents_open,
            metrics.TASKS_OVERDUE: backlog.tasks_overdue,
        }
    )
