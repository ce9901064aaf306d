"""Open the incident that says that a message was given up."""

import logging

from applications.models import LoanApplication
from core import metrics
from reviews.models import ReviewTask
from workflows.models import Incident, OutboxMessage

logger = logging.getLogger(__name__)


def note_failure(message: OutboxMessage, _error: Exception, /, *, final: bool) -> None:
    """Count a try that failed; open an incident for a message whose last one it was."""
    metrics.record({metrics.DELIVERY_FAILURES: 1}, kind=message.kind)
    if not final:
        return
    application = _application_of(message)
    if application is None:
        logger.error("Given up, and it belongs to no application", extra={"key": message.key})
        return
    tried = "once" if message.attempts == 1 else f"{message.attempts} times"
    Incident.objects.bulk_create(
        [
            Incident(
                kind=Incident.Kind.DELIVERY_FAILED,
                key=f"delivery/{message.pk}",
                application=application,
                execution=message.execution,
                message=message,
                sentence=(
                    f"“{message.get_kind_display()}” was tried {tried} and did not get through."
                ),
            )
        ],
        ignore_conflicts=True,
    )


def _application_of(message: OutboxMessage) -> LoanApplication | None:
    if message.about is not None:
        return message.about
    if "task" in message.payload:
        task = ReviewTask.objects.select_related("application").filter(pk=message.payload["task"])
        return next((found.application for found in task), None)
    return LoanApplication.objects.filter(reference=message.payload.get("application")).first()
