"""Write executions: queued, running, stopped, ended. Lock order: see ``core.locking``.

Nothing here touches the outside world: what has to be sent there is an outbox message.
"""

from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import Case, F, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from applications.choices import Status
from applications.models import LoanApplication
from applications.services.attempts import Attempt
from audit.tracing import request_id
from core.locking import locked
from workflows.models import Execution, OutboxMessage, PendingCallback
from workflows.outbox import queue


@dataclass(frozen=True)
class Closed:
    """The end of an execution: the application's final status."""

    status: str


def execution_queue(*, application: LoanApplication) -> Execution:
    """Record a new execution and queue the message that starts it."""
    attempt = Attempt(reference=application.reference, number=application.attempt)
    execution = Execution.objects.create(
        application=application,
        attempt=attempt.number,
        name=attempt.name,
        request_id=request_id.get(),
    )
    start_put(execution)
    return execution


def start_put(execution: Execution) -> None:
    """Queue the start of an execution; its payload never changes, so a resend is harmless."""
    traced = {"traceparent": execution.traceparent} if execution.traceparent else {}
    queue.put(
        kind=OutboxMessage.Kind.START_EXECUTION,
        key=f"start/{execution.name}",
        execution=execution,
        payload={
            "application": execution.application.reference,
            "attempt": execution.attempt,
            "request_id": execution.request_id,
            **traced,
        },
    )


def execution_running(attempt: Attempt, *, arn: str) -> None:
    """The function runs: whoever knows the ARN first writes it."""
    queued = When(status=Execution.Status.QUEUED, then=Value(Execution.Status.RUNNING.value))
    Execution.objects.filter(name=attempt.name).update(
        status=Case(queued, default=F("status")),
        arn=Coalesce(F("arn"), Value(arn)),
        started_at=Coalesce(F("started_at"), Value(timezone.now())),
    )


def execution_end(
    attempt: Attempt,
    *,
    status: Execution.Status,
    result: dict[str, Any] | None = None,
    error: str = "",
) -> None:
    """The function is about to return, or gave up. An end that is known stays as it is."""
    Execution.objects.filter(name=attempt.name, ended_at__isnull=True).update(
        status=status, result=result or {}, error=error, ended_at=timezone.now()
    )


def execution_stop(*, application: LoanApplication) -> None:
    """Ask the engine to stop what still runs for a locked application.

    Nobody waits for its answers any more, given or not: those on their way are called back.
    """
    for execution in locked(
        Execution.objects.filter(application=application, ended_at__isnull=True)
    ):
        PendingCallback.objects.filter(
            execution=execution,
            status__in=[PendingCallback.Status.OPEN, PendingCallback.Status.ANSWERED],
        ).update(status=PendingCallback.Status.CANCELLED)
        OutboxMessage.objects.filter(
            execution=execution,
            kind=OutboxMessage.Kind.ANSWER_CALLBACK,
            status=OutboxMessage.Status.PENDING,
        ).update(status=OutboxMessage.Status.CANCELLED)
        queue.put(
            kind=OutboxMessage.Kind.STOP_EXECUTION,
            key=f"stop/{execution.name}",
            execution=execution,
            payload={"error_type": "Stopped", "message": f"{application.status}"},
        )


def execution_finish(
    attempt: Attempt, status: Status, *, application: LoanApplication | None = None
) -> Closed:
    """End the execution that closed its application, and queue the notice.

    ``application`` saves reading it where the caller has it.
    """
    closed = Closed(status=status.value)
    execution_end(attempt, status=Execution.Status.SUCCEEDED, result=asdict(closed))
    closing_notice(attempt, application=application)
    return closed


def closing_notice(attempt: Attempt, *, application: LoanApplication | None = None) -> None:
    """Tell the applicant how the application ended, once an attempt."""
    queue.put(
        kind=OutboxMessage.Kind.EMAIL,
        key=f"closed/{attempt.name}",
        payload={"application": attempt.reference},
        application=application
        or LoanApplication.objects.only("pk").get(reference=attempt.reference),
    )
