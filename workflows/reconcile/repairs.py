"""Repair differences between the engine and the record.

Each repair reads again under the application's lock and does nothing when the two agree by
then, so that doing it twice, or beside the workflow itself, changes nothing more. Nothing
here asks the engine.
"""

import json
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from applications.choices import Status
from applications.locking import application_lock
from applications.models import LoanApplication
from applications.services.attempts import Attempt
from applications.transitions import is_terminal
from core.locking import locked
from reviews.choices import TaskKind, TaskStatus
from reviews.locking import task_lock
from reviews.models import ReviewTask
from reviews.services import decisions
from reviews.services.tasks import task_expire, tasks_cancel
from workflows import executions, handover, incidents
from workflows.callbacks import pending
from workflows.engine import Listed
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback
from workflows.steps import review


def run_of(execution: Execution) -> Attempt:
    """The run that an execution carries."""
    return Attempt(reference=execution.application.reference, attempt=execution.attempt)


# --- Starts, stops, pauses ---------------------------------------------------------------


def note_start(listed: Listed, execution: Execution) -> None:
    """The engine runs what the record takes for queued."""
    executions.execution_running(run_of(execution), arn=listed.arn)


def start_again(execution: Execution) -> None:
    """Let a start leave that never arrived; the same name twice is one execution."""
    if not leave_again(starts_of(execution)):
        executions.start_put(execution)


def starts_of(execution: Execution) -> QuerySet[OutboxMessage]:
    """The message that starts an execution."""
    return OutboxMessage.objects.filter(
        execution=execution, kind=OutboxMessage.Kind.START_EXECUTION
    )


def stop_again(listed: Listed, execution: Execution) -> None:
    """Let a stop leave once more that the engine did not take."""
    Execution.objects.filter(pk=execution.pk, arn__isnull=True).update(arn=listed.arn)
    stops = OutboxMessage.objects.filter(
        execution=execution, kind=OutboxMessage.Kind.STOP_EXECUTION
    )
    leave_again(stops)


def leave_again(messages: QuerySet[OutboxMessage]) -> int:
    """Send once more what was sent; how many messages there are."""
    return messages.filter(status=OutboxMessage.Status.SENT).update(
        status=OutboxMessage.Status.PENDING, attempts=0, due_at=timezone.now(), leased_until=None
    )


def follow_pause(execution: Execution, *, paused: bool, now: datetime) -> None:
    """The record takes over whether the engine holds an execution."""
    Execution.objects.filter(pk=execution.pk, paused_at=execution.paused_at).update(
        paused_at=now if paused else None
    )


def queue_missing(application: LoanApplication) -> None:
    """Write the missing execution of an application, as after a database was restored."""
    with transaction.atomic():
        now = application_lock(application.reference)
        if not Execution.objects.filter(application=now, attempt=now.attempt).exists():
            executions.execution_queue(application=now)


# --- The end of an execution -----------------------------------------------------------


def end(listed: Listed, answer: dict[str, Any], execution: Execution) -> None:
    """Record a missed end; an application that is not final is handed over.

    ``answer`` is that of ``engine.get``.
    """
    run = run_of(execution)
    ended = Execution.Status(listed.status)
    with transaction.atomic():
        application = application_lock(run.reference)
        executions.execution_running(run, arn=listed.arn)
        if _is_carried(application, execution):
            if ended == Execution.Status.TIMED_OUT and _expire(application, run):
                executions.closing_notice(run)
            else:
                kind, sentence = _why_over(ended, answer, application)
                _close_what_is_asked(application, execution)
                handover.application_hand_over(run, kind=kind, sentence=sentence, ended=ended)
        executions.execution_end(run, status=ended, result=_result(answer), error=_error(answer))


def follow_end(listed: Listed, execution: Execution) -> None:
    """The record takes over how an execution ended in the engine."""
    Execution.objects.filter(pk=execution.pk, status=execution.status).update(status=listed.status)


def hand_over(execution: Execution, *, ended: Execution.Status, sentence: str) -> None:
    """Hand over an application without a running execution, if that is still so."""
    with transaction.atomic():
        application = application_lock(execution.application.reference)
        if _is_carried(application, execution):
            _close_what_is_asked(application, execution)
            handover.application_hand_over(
                run_of(execution),
                kind=Incident.Kind.ENGINE_DISAGREES,
                sentence=sentence,
                ended=ended,
            )
        executions.execution_end(run_of(execution), status=ended)


def _is_carried(application: LoanApplication, execution: Execution) -> bool:
    """Whether this execution is what the case depends on now."""
    return (
        application.attempt == execution.attempt
        and not is_terminal(application.status)
        and application.status != Status.NEEDS_ATTENTION
    )


def _expire(application: LoanApplication, run: Attempt) -> bool:
    """A wait that outlived its execution ends as it should have: expired."""
    overdue = ReviewTask.objects.filter(
        application=application,
        attempt=run.attempt,
        status__in=[TaskStatus.OPEN, TaskStatus.EXPIRED],
        expires_at__lte=timezone.now(),
    ).first()
    if overdue is None:
        return False
    pending.callbacks_expire(run)
    return review.expired(run, TaskKind(overdue.kind))


def _close_what_is_asked(application: LoanApplication, execution: Execution) -> None:
    """Nothing waits for people's answers any more; one that was not delivered is late."""
    undelivered = PendingCallback.objects.filter(
        execution=execution,
        status=PendingCallback.Status.ANSWERED,
        review_task__status=TaskStatus.DECIDED,
    )
    for pk in undelivered.order_by("pk").values_list("review_task", flat=True):
        decisions.decisions_undo_as_late(application=application, task=task_lock(pk))
    tasks_cancel(application=application)
    pending.callbacks_expire(run_of(execution))


def _why_over(
    ended: Execution.Status, answer: dict[str, Any], application: LoanApplication
) -> tuple[Incident.Kind, str]:
    """What kind of incident the end of an execution in the middle of a case is."""
    still = f"the case is still {application.get_status_display().lower()}"
    match ended:
        case Execution.Status.FAILED:
            why = _error(answer) or "no reason is known"
            return Incident.Kind.WORKFLOW_FAILED, f"The workflow failed: {why}"
        case Execution.Status.TIMED_OUT:
            return (
                Incident.Kind.WORKFLOW_FAILED,
                f"The execution ran out of time, and {still}. Restart it.",
            )
        case Execution.Status.STOPPED:
            return (
                Incident.Kind.ENGINE_DISAGREES,
                f"The execution was stopped past this office, and {still}. Restart it.",
            )
        case _:
            said = _result(answer).get("status", "nothing")
            return (
                Incident.Kind.ENGINE_DISAGREES,
                f"The engine says that the workflow ended as “{said}”, but {still}. Restart it.",
            )


def _result(answer: dict[str, Any]) -> dict[str, Any]:
    try:
        result = json.loads(str(answer.get("Result") or "{}"))
    except ValueError:
        return {"raw": str(answer["Result"])}
    return result if isinstance(result, dict) else {"raw": result}


def _error(answer: dict[str, Any]) -> str:
    error = answer.get("Error")
    if not isinstance(error, dict):
        return ""
    kind = str(error.get("ErrorType") or "Error").rpartition(".")[2]
    said = " ".join(str(error.get("ErrorMessage") or "").split())
    return f"{kind}: {said}".removesuffix(": ")


# --- Callbacks -----------------------------------------------------------------------------


def note_delivered(callback: PendingCallback) -> None:
    """Mark the row and its message as delivered: the engine has the answer."""
    with transaction.atomic():
        PendingCallback.objects.filter(
            pk=callback.pk, status=PendingCallback.Status.ANSWERED
        ).update(status=PendingCallback.Status.DELIVERED, delivered_at=timezone.now())
        OutboxMessage.objects.filter(callback=callback).exclude(
            status=OutboxMessage.Status.SENT
        ).update(status=OutboxMessage.Status.SENT, sent_at=timezone.now(), last_error="")


def answer_again(callback: PendingCallback) -> None:
    """Queue an answer again that the engine did not get."""
    if not leave_again(OutboxMessage.objects.filter(callback=callback)):
        pending.answer_put(callback)


def close_callback(callback: PendingCallback) -> None:
    """The engine waits no longer: an open wait is over, an answer on its way is late."""
    with transaction.atomic():
        application = application_lock(callback.execution.application.reference)
        task = task_lock(callback.review_task.pk) if callback.review_task else None
        row = locked(PendingCallback.objects.all()).get(pk=callback.pk)
        if row.status not in {PendingCallback.Status.OPEN, PendingCallback.Status.ANSWERED}:
            return
        row.status = PendingCallback.Status.EXPIRED
        row.save(update_fields=["status"])
        OutboxMessage.objects.filter(callback=row, status=OutboxMessage.Status.PENDING).update(
            status=OutboxMessage.Status.CANCELLED
        )
        if task is not None and task.status == TaskStatus.DECIDED:
            decisions.decisions_undo_as_late(application=application, task=task)
        elif task is not None:
            task_expire(task=task, now=timezone.now())


# --- What no rule can mend -------------------------------------------------------------------


def unknown_execution(listed: Listed, application: LoanApplication) -> None:
    """Report an execution of the engine that the record does not have."""
    incidents.incident_open(
        kind=Incident.Kind.ENGINE_DISAGREES,
        key=f"unknown/{listed.name}",
        application=application,
        sentence=(
            f"The engine has the execution {listed.name} ({listed.status.lower()}), but the "
            "record knows no such attempt of this case."
        ),
    )


def goes_on(listed: Listed, execution: Execution) -> None:
    """The record has an end that the engine has not."""
    incidents.incident_open(
        kind=Incident.Kind.ENGINE_DISAGREES,
        key=f"goes-on/{listed.name}",
        application=execution.application,
        execution=execution,
        sentence=(
            f"The record says that {listed.name} has ended "
            f"({execution.get_status_display().lower()}), but the engine still carries it."
        ),
    )


def answered_elsewhere(callback: PendingCallback) -> None:
    """The engine has an answer that did not come from here."""
    incidents.incident_open(
        kind=Incident.Kind.ENGINE_DISAGREES,
        key=f"answered-elsewhere/{callback.pk}",
        application=callback.execution.application,
        execution=callback.execution,
        sentence=(
            f"The engine has an answer to {callback.name} that is not on record here: somebody "
            "answered it past this office."
        ),
    )
