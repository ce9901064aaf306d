"""Repair differences between the engine and the record.

Each repair reads the record again under the application's lock and does nothing when the two agree
by then, so that a second repair, or one beside the workflow itself, changes nothing more. This
module does not call the engine.
"""

import json
from collections.abc import Collection, Iterable
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
from audit.times import moment
from core.locking import locked
from reviews.choices import TaskKind, TaskStatus
from reviews.locking import task_lock
from reviews.models import ReviewTask
from reviews.services import answers
from reviews.services.tasks import task_expire, tasks_cancel
from workflows import executions, handover, incidents
from workflows.callbacks import pending
from workflows.engine import Listed
from workflows.funding_requirements import described
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback
from workflows.steps import review


def attempt_of(execution: Execution) -> Attempt:
    """Return the attempt that an execution carries."""
    return Attempt(reference=execution.application.reference, number=execution.attempt)


# --- Starts, stops, pauses ---------------------------------------------------------------


def note_start(listed: Listed, execution: Execution) -> None:
    """Set a queued execution to running, as it is in the engine."""
    executions.execution_running(attempt_of(execution), arn=listed.arn)


def start_again(execution: Execution) -> None:
    """Queue a start again that did not arrive; the same name twice starts one execution."""
    if not queue_again(starts_of([execution])):
        executions.start_put(execution)


def starts_of(executions: Collection[Execution]) -> QuerySet[OutboxMessage]:
    """Select the messages that start some executions."""
    return OutboxMessage.objects.filter(
        execution__in=executions, kind=OutboxMessage.Kind.START_EXECUTION
    )


def stop_again(listed: Listed, execution: Execution) -> None:
    """Queue a stop again that the engine did not carry out."""
    Execution.objects.filter(pk=execution.pk, arn__isnull=True).update(arn=listed.arn)
    stops = OutboxMessage.objects.filter(
        execution=execution, kind=OutboxMessage.Kind.STOP_EXECUTION
    )
    queue_again(stops)


def queue_again(messages: QuerySet[OutboxMessage]) -> int:
    """Queue sent messages again; returns how many."""
    return messages.filter(status=OutboxMessage.Status.SENT).update(
        status=OutboxMessage.Status.PENDING, attempts=0, due_at=timezone.now(), leased_until=None
    )


def follow_pause(execution: Execution, *, paused: bool, now: datetime) -> None:
    """Copy from the engine whether an execution is paused."""
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
    attempt = attempt_of(execution)
    ended = Execution.Status(listed.status)
    with transaction.atomic():
        application = application_lock(attempt.reference)
        executions.execution_running(attempt, arn=listed.arn)
        if _is_carried(application, execution):
            if ended == Execution.Status.TIMED_OUT and _expire(application, attempt):
                executions.closing_notice(attempt)
            else:
                kind, sentence = _incident_for_end(ended, answer, application)
                _close_open_questions(application, execution)
                handover.application_hand_over(attempt, kind=kind, sentence=sentence, ended=ended)
        executions.execution_end(
            attempt, status=ended, result=_result(answer), error=_error(answer)
        )


def follow_end(listed: Listed, execution: Execution) -> None:
    """Copy from the engine how an execution ended."""
    Execution.objects.filter(pk=execution.pk, status=execution.status).update(status=listed.status)


def hand_over(execution: Execution, *, ended: Execution.Status, sentence: str) -> None:
    """Hand over an application without a running execution, if that is still so."""
    with transaction.atomic():
        application = application_lock(execution.application.reference)
        if _is_carried(application, execution):
            _close_open_questions(application, execution)
            handover.application_hand_over(
                attempt_of(execution),
                kind=Incident.Kind.ENGINE_DISAGREES,
                sentence=sentence,
                ended=ended,
            )
        executions.execution_end(attempt_of(execution), status=ended)


def _is_carried(application: LoanApplication, execution: Execution) -> bool:
    """Return True when the unfinished application depends on this execution."""
    return (
        application.attempt == execution.attempt
        and not is_terminal(application.status)
        and application.status != Status.NEEDS_ATTENTION
    )


def _expire(application: LoanApplication, attempt: Attempt) -> bool:
    """Expire an application whose review task outlived its execution; false without such a task."""
    overdue = ReviewTask.objects.filter(
        application=application,
        attempt=attempt.number,
        status__in=[TaskStatus.OPEN, TaskStatus.EXPIRED],
        expires_at__lte=timezone.now(),
    ).first()
    if overdue is None:
        return False
    pending.callbacks_expire(attempt)
    return review.expired(attempt, TaskKind(overdue.kind))


def _close_open_questions(application: LoanApplication, execution: Execution) -> None:
    """Close the tasks and callbacks of an execution; an undelivered decision becomes late."""
    undelivered = PendingCallback.objects.filter(
        execution=execution,
        status=PendingCallback.Status.ANSWERED,
        review_task__status=TaskStatus.DECIDED,
    )
    for pk in undelivered.order_by("pk").values_list("review_task", flat=True):
        answers.decisions_undo_as_late(application=application, task=task_lock(pk))
    tasks_cancel(application=application)
    pending.callbacks_expire(attempt_of(execution))


def _incident_for_end(
    ended: Execution.Status, answer: dict[str, Any], application: LoanApplication
) -> tuple[Incident.Kind, str]:
    """Return the incident for an execution that ended before its application was final."""
    still = f"the application is still {application.get_status_display().lower()}"
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
            status = _result(answer).get("status", "nothing")
            return (
                Incident.Kind.ENGINE_DISAGREES,
                f"The engine says that the workflow ended as “{status}”, but {still}. Restart it.",
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
    message = " ".join(str(error.get("ErrorMessage") or "").split())
    return f"{kind}: {message}".removesuffix(": ")


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
    if not queue_again(OutboxMessage.objects.filter(callback=callback)):
        pending.answer_put(callback)


def close_callback(callback: PendingCallback) -> None:
    """Expire a callback that the engine no longer waits for; an undelivered decision is late."""
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
            answers.decisions_undo_as_late(application=application, task=task)
        elif task is not None:
            task_expire(task=task, now=timezone.now())


# --- Incidents for what no rule can repair -----------------------------------------------------


def unknown_execution(listed: Listed, application: LoanApplication) -> None:
    """Report an execution of the engine that the record does not have."""
    incidents.incident_open(
        kind=Incident.Kind.ENGINE_DISAGREES,
        key=f"unknown/{listed.name}",
        application=application,
        sentence=(
            f"The engine has the execution {listed.name} ({listed.status.lower()}), but the "
            "record knows no such attempt of this application."
        ),
    )


def funded_without_decisions(application: LoanApplication, lacks: Iterable[str]) -> None:
    """Open an incident: the application was funded, and the record lacks what that needed."""
    incidents.incident_open(
        kind=Incident.Kind.NOT_APPROVED,
        key=f"not-approved/{application.reference}",
        application=application,
        sentence=(
            f"{application.reference} is funded, but the record lacks {described(lacks)}. "
            "Find out how it was paid, and whether the money has to be recovered."
        ),
    )


def stands_still(execution: Execution, latest: datetime) -> None:
    """Open an incident: the engine has an execution that it does not carry on."""
    incidents.incident_open(
        kind=Incident.Kind.ENGINE_DISAGREES,
        key=f"stands-still/{execution.name}",
        application=execution.application,
        execution=execution,
        sentence=(
            f"Nothing has happened in {execution.name} since {moment(latest)}, and it "
            "waits for nothing: the engine does not carry it on. Stop it, then restart the "
            "application."
        ),
    )


def goes_on(listed: Listed, execution: Execution) -> None:
    """Open an incident: the record has an end, but the engine still runs the execution."""
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
    """Open an incident: the engine has an answer that is not in the record."""
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
