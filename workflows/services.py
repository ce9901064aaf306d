"""Writes about executions, callbacks and incidents. Lock order: see ``applications.locking``.

Nothing here touches the outside world: what has to leave is an outbox row.
"""

from datetime import datetime
from enum import Enum, auto
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from applications.locking import application_lock, locked
from applications.models import LoanApplication, ReviewDecision, ReviewTask
from applications.services import progress
from applications.services.events import event_record
from applications.services.gate import Run
from applications.services.tasks import task_expire, tasks_cancel
from applications.tracing import request_id
from applications.vocabulary import Level, Outcome, Status, TaskStatus
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
    start_put(execution)
    return execution


def start_put(execution: Execution) -> None:
    """Queue the start of an execution; its payload never changes, so a resend is harmless."""
    outbox.put(
        kind=OutboxMessage.Kind.START_EXECUTION,
        key=f"start/{execution.name}",
        execution=execution,
        payload={
            "application": execution.application.reference,
            "attempt": execution.attempt,
            "request_id": execution.request_id,
        },
    )


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
        outbox.put(
            kind=OutboxMessage.Kind.STOP_EXECUTION,
            key=f"stop/{execution.name}",
            execution=execution,
            payload={"error_type": "Stopped", "message": f"{application.status}"},
        )


def execution_finish(run: Run, status: Status) -> None:
    """The case is closed by its workflow: end the mirror and queue the notice."""
    execution_end(run, status=Execution.Status.SUCCEEDED, result={"status": status.value})
    closing_notice(run)


def closing_notice(run: Run) -> None:
    """Tell the applicant how the case ended, once an attempt."""
    outbox.put(
        kind=OutboxMessage.Kind.EMAIL,
        key=f"closed/{run.name}",
        payload={"application": run.reference},
    )


def case_hand_over(
    run: Run,
    *,
    kind: Incident.Kind | None,
    sentence: str,
    ended: Execution.Status = Execution.Status.FAILED,
) -> bool:
    """Hand a stuck case to Operations; false when it has closed or was handed over before.

    ``kind`` is ``None`` where an incident that says why is open already. Nothing of the run
    is asked or waited for any more. In a transaction.
    """
    if not progress.needs_attention(run, sentence=sentence):
        return False
    execution_end(run, status=ended, error=sentence)
    execution = Execution.objects.select_related("application").get(name=run.name)
    tasks_cancel(application=execution.application)
    callbacks_expire(run)
    if kind is not None:
        incident_open(
            kind=kind,
            key=f"{kind.value}/{run.name}",
            application=execution.application,
            execution=execution,
            sentence=sentence,
        )
    return True


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


class Heard(Enum):
    """What became of an outside service's answer."""

    COUNTED = auto()  # the first one
    REPEATED = auto()  # the same again
    CONTRADICTED = auto()
    LATE = auto()


def callback_answer(*, callback_id: str, answer: dict[str, Any]) -> bool:
    """An outside service answers; true when this was the first answer and it counts."""
    return callback_hear(callback_id=callback_id, answer=answer) == Heard.COUNTED


@transaction.atomic
def callback_hear(*, callback_id: str, answer: dict[str, Any]) -> Heard:
    """An outside service answers; the first answer counts.

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
        return Heard.COUNTED
    if callback.answer is None:
        event_record(
            application=application,
            kind="late_answer",
            message=f"An answer to {callback.name} came too late and was not applied.",
            level=Level.WARNING,
            is_internal=True,
            data={"answer": answer},
        )
        return Heard.LATE
    if callback.answer != answer:
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
        return Heard.CONTRADICTED
    return Heard.REPEATED


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


def callback_take(run: Run, name: str) -> dict[str, Any] | None:
    """The answer on record to what the engine stopped waiting for; else the wait is over.

    The run goes on with the answer, as if it had been delivered, also when the reconciler saw
    first that the engine had not got it. Doing it again gives the same. In a transaction.
    """
    rows = PendingCallback.objects.filter(execution__name=run.name, name=name)
    rows.filter(
        status__in=[PendingCallback.Status.ANSWERED, PendingCallback.Status.EXPIRED],
        answer__isnull=False,
    ).update(status=PendingCallback.Status.DELIVERED, delivered_at=timezone.now())
    callback_expire(run, name)
    taken = rows.filter(status=PendingCallback.Status.DELIVERED).first()
    return None if taken is None else taken.answer


def callbacks_expire(run: Run) -> None:
    """The execution is over: what it waited for was not heard, answers on their way neither."""
    PendingCallback.objects.filter(
        execution__name=run.name,
        status__in=[PendingCallback.Status.OPEN, PendingCallback.Status.ANSWERED],
    ).update(status=PendingCallback.Status.EXPIRED)
    OutboxMessage.objects.filter(
        execution__name=run.name,
        kind=OutboxMessage.Kind.ANSWER_CALLBACK,
        status=OutboxMessage.Status.PENDING,
    ).update(status=OutboxMessage.Status.CANCELLED)


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
    answer_put(callback)


def answer_put(callback: PendingCallback) -> None:
    """Queue the delivery of a callback's answer."""
    outbox.put(
        kind=OutboxMessage.Kind.ANSWER_CALLBACK,
        key=f"answer/{callback.pk}",
        callback=callback,
        execution_id=callback.execution_id,
        payload=callback.answer or {},
    )


# --- Incidents --------------------------------------------------------------------------


def decisions_late(*, task: ReviewTask, decisions: list[ReviewDecision]) -> None:
    """Say that an answer was kept and not applied: a restart lets people decide again."""
    application = task.application
    given = " and ".join(
        f"{'approved' if decision.outcome == Outcome.APPROVE else 'declined'} by "
        f"{decision.decided_by or decision.partner} at "
        f"{timezone.localtime(decision.decided_at):%Y-%m-%d %H:%M:%S}"
        for decision in decisions
    )
    incident_open(
        kind=Incident.Kind.DECISION_LATE,
        key=f"late/{task.pk}",
        application=application,
        execution=Execution.objects.filter(application=application, attempt=task.attempt).first(),
        sentence=(
            f"{task.get_kind_display()} of {application.reference} was {given}, after the "
            "workflow had stopped waiting. It is kept and was not applied. Restart the case to "
            "decide again."
        ),
    )


def incidents_close(*, application: LoanApplication, note: str, by: User | None) -> int:
    """Resolve what is open about a case that has been mended; returns how many."""
    return (
        Incident.objects.filter(application=application)
        .exclude(status=Incident.Status.RESOLVED)
        .update(
            status=Incident.Status.RESOLVED,
            resolved_at=timezone.now(),
            resolved_by=by,
            note=note,
        )
    )


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
