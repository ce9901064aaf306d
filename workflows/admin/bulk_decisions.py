"""The part of the workflow on the page of a bulk decision: the delivery of its answers.

``reviews.admin`` does not know the workflow; ``DeliveredBulkDecisionAdmin`` replaces its admin.
"""

from django.db.models import Count, Exists, OuterRef, Q
from django.urls import reverse

from reviews.admin.bulk_decisions import BulkDecisionAdmin, Counted
from reviews.admin.bulk_result import State
from reviews.models import BulkDecision
from workflows.models import OutboxMessage, PendingCallback

Status = PendingCallback.Status


class DeliveredBulkDecisionAdmin(BulkDecisionAdmin):
    """Adds how many answers were delivered to the engine."""

    def counts(self, run: BulkDecision) -> list[Counted]:
        answers = deliveries(run)
        incidents = reverse("admin:workflows_incident_changelist")
        found = [
            Counted("delivered", "Delivered to the workflow", answers["delivered"], "good"),
            Counted("pending", "Not delivered yet", answers["pending"], "wait", moves=True),
            Counted("dead", "Given up, see incidents", answers["dead"], "alert", link=incidents),
            Counted("second", "Wait for another approval", answers["second"], "info"),
            Counted("moot", "Not waited for any more", answers["moot"], "quiet"),
        ]
        return [
            *super().counts(run),
            *(row for row in found if row.number or row.key == "delivered"),
        ]


def deliveries(run: BulkDecision) -> dict[str, int]:
    """Count the answers of the decided rows by status, in one query."""
    given_up = OutboxMessage.objects.filter(
        callback=OuterRef("pk"),
        kind=OutboxMessage.Kind.ANSWER_CALLBACK,
        status=OutboxMessage.Status.DEAD,
    )
    answered = Q(status=Status.ANSWERED)
    return (
        PendingCallback.objects.filter(
            review_task__bulk_rows__run=run, review_task__bulk_rows__state=State.DECIDED
        )
        .annotate(given_up=Exists(given_up))
        .aggregate(
            delivered=Count("pk", filter=Q(status=Status.DELIVERED)),
            pending=Count("pk", filter=answered & Q(given_up=False)),
            dead=Count("pk", filter=answered & Q(given_up=True)),
            second=Count("pk", filter=Q(status=Status.OPEN)),
            moot=Count("pk", filter=Q(status__in=[Status.EXPIRED, Status.CANCELLED])),
        )
    )
