"""Writes about executions, callbacks and incidents. Lock order: see ``applications.locking``.

Nothing here touches the outside world: what has to leave is an outbox row.
"""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from applications.errors import NotPermitted, TransitionRefused
from applications.locking import application_lock, locked
from applications.models import Disbursement, LoanApplication, ReviewDecision, ReviewTask
from applications.services.events import event_record
from applications.services.gate import Run, move, save, stop_waiting
from applications.services.review import task_expire, tasks_cancel
from applications.tracing import request_id
from applications.vocabulary import Level, Status, Step, TaskStatus
from workflows import outbox
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback

# --- Executions -------------------------------------------------------------------------


def execution_queue(*, application: LoanApplication) -> Execution:
    """Write the mirror of a new execution and the message that starts it."""
    run = Run(reference=application.reference, attempt=application.attempt)
    execution = Execution.objects.create(
        application=application,
        attempt=run.attempt,
        name=run.name,
        request_id=request_id.get(),
    )
    outbox.put(
        kind=OutboxMessage.Kind.START_EXECUTION,
        key=f"start/{run.name}",
        execution=execution,
        payload={
            "application": run.reference,
            "attempt": run.attempt,
            "request_id": execution.request_id,
        },
    )
    return execution


def execution_running(run: Run, *, arn: str) -> None:
    """The function runs: whoever knows the ARN first writes it."""
    queued = When(status=Execution.Status.QUEUED, then=Value(Execution.Status.RUNNING.value))
    Execution.objects.filter(name=run.name).update(
        status=Case(queued, default=F("status")),
        arn=Coalesce(F("arn"), Value(arn)),
        started_at=Coalesce(F("started_at"), Value(timezone.now())),
    )


def execution_end(
    run: Run, *, status: Execution.Status, result: dict[str, Any] | None = None, error: str = ""
) -> None:
    """The function is about to return, or gave up. An end that is known stays as it is."""
    Execution.objects.filter(name=run.name, ended_at__isnull=True).update(
        status=status, result=result or {}, error=error, ended_at=timezone.now()
    )


def execution_stop(*, application: LoanApplication) -> None:
    """Ask the engine to stop what still runs for a locked application."""
    for execution in locked(
        Execution.objects.filter(application=application, ended_at__isnull=True)
    ):
        PendingCallback.objects.filter(
            execution=execution, status=PendingCallback.Status.OPEN
        ).update(status=PendingCallback.Status.CANCELLED)
        outbox.put(
            kind=OutboxMessage.Kind.STOP_EXECUTION,
            key=f"stop/{execution.name}",
            execution=execution,
            payload={"error_type": "Stopped", "message": f"{application.status}"},
        )


def restart_check(*, application: LoanApplication, user: User) -> None:
    """Raise the reason why ``user`` may not restart the case now; return if they may.

    The pages ask this to show or hide a button, ``application_restart`` to be sure.
    """
    if not user.has_perm("workflows.restart_execution"):
        raise NotPermitted("Only Operations restarts a case.")
    if (
        application.status != Status.NEEDS_ATTENTION
        or Disbursement.objects.filter(
            application=application, status=Disbursement.Status.PAID
        ).exists()
    ):
        raise TransitionRefused(
            reference=application.reference,
            current=Status(application.status),
            new=Status.SUBMITTED,
        )


@transaction.atomic
def application_restart(*, reference: str, user: User, reason: str = "") -> LoanApplication:
    """Carry a stuck case by a new attempt; the old one may write nothing from now on.

    A payout is never repeated: its ledger row and its key belong to the application.
    Raises ``TransitionRefused`` unless the case needs attention and is not paid,
    ``NotPermitted``.
    """
    application = application_lock(reference)
    restart_check(application=application, user=user)
    tasks_cancel(application=application)
    execution_stop(application=application)
    move(application, Status.SUBMITTED)
    application.attempt += 1
    application.version += 1
    application.current_step = Step.SUBMITTED
    # What the attempt before decided no longer holds; the timeline keeps it.
    application.outcome, application.decision_reasons, application.decided_at = "", [], None
    stop_waiting(application)
    save(application, "attempt", "version")
    event_record(
        application=application,
        kind="restarted",
        message=f"Restarted as attempt {application.attempt}. {reason}".strip(),
        level=Level.WARNING,
        is_internal=True,
        actor=user,
    )
    Incident.objects.filter(application=application).exclude(
        status=Incident.Status.RESOLVED
    ).exclude(kind=Incident.Kind.PAYOUT_UNKNOWN).update(
        status=Incident.Status.RESOLVED,
        resolved_at=timezone.now(),
        resolved_by=user,
        note="Restarted.",
    )
    execution_queue(application=application)
    return application


# --- Callbacks --------------------------------------------------------------------------


def callback_open(
    run: Run,
    *,
    name: str,
    callback_id: str,
    expires_at: datetime,
    review_task: ReviewTask | None = None,
) -> None:
    """Expect an answer. Must be committed before anyone is told the callback id."""
    PendingCallback.objects.create(
        execution=Execution.objects.get(name=run.name),
        name=name,
        callback_id=callback_id,
        review_task=review_task,
        expires_at=expires_at,
    )


def task_answer(*, task: ReviewTask, decision: ReviewDecision) -> None:
    """People decided (or time ran out): pass that on. Inside the deciding transaction."""
    callback = locked(PendingCallback.objects.all()).filter(review_task=task).first()
    if callback is None:
        raise RuntimeError(f"task {task.pk} has no callback")
    _answer(callback, {"outcome": task.outcome, "task": task.pk, "decision": decision.pk})


@transaction.atomic
def callback_answer(*, callback_id: str, answer: dict[str, Any]) -> bool:
    """An outside service answers; true when this was the first answer and it counts.

    The same answer again changes nothing. Another one is an incident and is not applied;
    one that comes too late is noted. Raises ``PendingCallback.DoesNotExist``.
    """
    reference = PendingCallback.objects.values_list(
        "execution__application__reference", flat=True
    ).get(callback_id=callback_id)
    application = application_lock(reference)
    callback = locked(PendingCallback.objects.all()).get(callback_id=callback_id)
    if callback.status == PendingCallback.Status.OPEN:
        _answer(callback, answer)
        return True
    if callback.answer is None:
        event_record(
            application=application,
            kind="late_answer",
            message=f"An answer to {callback.name} came too late and was not applied.",
            level=Level.WARNING,
            is_internal=True,
            data={"answer": answer},
        )
    elif callback.answer != answer:
        incident_open(
            kind=Incident.Kind.CONTRADICTION,
            key=f"contradiction/{callback.pk}",
            application=application,
            execution=callback.execution,
            sentence=(
                f"{callback.name} was answered twice and differently: first {callback.answer}, "
                f"then {answer}. The first answer stands."
            ),
        )
    return False


def callbacks_settle(run: Run) -> None:
    """The execution went on with its answers: they are delivered, whatever the sender knows."""
    PendingCallback.objects.filter(
        execution__name=run.name, status=PendingCallback.Status.ANSWERED
    ).update(status=PendingCallback.Status.DELIVERED, delivered_at=timezone.now())


def callback_expire(run: Run, name: str) -> None:
    """The engine stopped waiting before an answer reached it."""
    PendingCallback.objects.filter(
        execution__name=run.name,
        name=name,
        status__in=[PendingCallback.Status.OPEN, PendingCallback.Status.ANSWERED],
    ).update(status=PendingCallback.Status.EXPIRED)


def callbacks_expire(run: Run) -> None:
    """The run is over: nothing of it waits for an answer any more."""
    PendingCallback.objects.filter(
        execution__name=run.name, status=PendingCallback.Status.OPEN
    ).update(status=PendingCallback.Status.EXPIRED)


@transaction.atomic
def task_time_out(*, task_id: int) -> bool:
    """End the wait of a task whose time is over; false when somebody was quicker."""
    reference = ReviewTask.objects.values_list("application__reference", flat=True).get(pk=task_id)
    application_lock(reference)
    task = locked(ReviewTask.objects.all()).get(pk=task_id)
    if task.status != TaskStatus.OPEN or timezone.now() < task.expires_at:
        return False
    task_expire(task=task, now=timezone.now())
    callback = locked(PendingCallback.objects.all()).filter(review_task=task).first()
    if callback is not None and callback.status == PendingCallback.Status.OPEN:
        _answer(callback, {"outcome": "expired", "task": task.pk})
    return True


def _answer(callback: PendingCallback, answer: dict[str, Any]) -> None:
    callback.status = PendingCallback.Status.ANSWERED
    callback.answer = answer
    callback.answered_at = timezone.now()
    callback.save(update_fields=["status", "answer", "answered_at"])
    outbox.put(
        kind=OutboxMessage.Kind.ANSWER_CALLBACK,
        key=f"answer/{callback.pk}",
        callback=callback,
        execution_id=callback.execution_id,
        payload=answer,
    )


# --- Incidents --------------------------------------------------------------------------


def incident_open(
    *,
    kind: Incident.Kind,
    key: str,
    application: LoanApplication,
    sentence: str,
    execution: Execution | None = None,
) -> None:
    """Say that something is stuck and why. One open incident a ``key``."""
    Incident.objects.bulk_create(
        [
            Incident(
                kind=kind,
                key=key,
                application=application,
                execution=execution,
                sentence=sentence,
            )
        ],
        ignore_conflicts=True,
    )
