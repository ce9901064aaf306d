"""Handlers of the outbox: what is read before, what is sent, what is recorded after.

``queue.Handler`` says which part may do what. Loaded when the app is ready, as receivers are.
The handler of webhooks is registered by their own app.
"""

import logging
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple

from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone

from applications.choices import Level
from applications.services.timeline import event_record
from core import metrics
from reviews.choices import TaskKind
from workflows import engine
from workflows.errors import CallbackClosed, EngineConflict, EngineUnavailable, NotFound
from workflows.models import Execution, OutboxMessage, PendingCallback
from workflows.outbox import emails, queue, splitting
from workflows.outbox.queue import Handler, Send

logger = logging.getLogger(__name__)


def nothing() -> None:
    """Send nothing, when by now nothing has to be sent."""


# --- Starting an execution --------------------------------------------------------------


def _start(message: OutboxMessage) -> Send:
    return partial(
        engine.start,
        function=settings.LOAN_APPROVAL_FUNCTION,
        name=_execution(message).name,
        payload=message.payload,
    )


def _started(message: OutboxMessage, future: "Future[Any]") -> None:
    arn = future.result()
    is_queued = models.Q(status=Execution.Status.QUEUED)
    known = models.Value(arn or None, output_field=models.CharField())
    Execution.objects.filter(
        is_queued | models.Q(arn__isnull=True), pk=_execution(message).pk
    ).update(
        status=_if(is_queued, Execution.Status.RUNNING.value, "status"),
        started_at=_if(is_queued, timezone.now(), "started_at"),
        arn=Coalesce(models.F("arn"), known),
    )


def _if(condition: models.Q, then: object, otherwise: str) -> models.Case:
    return models.Case(models.When(condition, then=models.Value(then)), default=models.F(otherwise))


# --- Answering a callback ---------------------------------------------------------------


def _answer(message: OutboxMessage) -> Send:
    callback = _callback(message)
    return partial(
        engine.callback_success, callback_id=callback.callback_id, result=message.payload
    )


def _answered(message: OutboxMessage, future: "Future[Any]") -> None:
    rows = PendingCallback.objects.filter(pk=_callback(message).pk)
    try:
        future.result()
    except (CallbackClosed, NotFound):
        # Closed by our own earlier delivery, or too late: the step that went on knows, and
        # so does the reconciler.
        if rows.filter(status=PendingCallback.Status.ANSWERED).exists():
            raise
        return
    rows.filter(status=PendingCallback.Status.ANSWERED).update(
        status=PendingCallback.Status.DELIVERED, delivered_at=timezone.now()
    )


def _count_approval(message: OutboxMessage) -> None:
    """Count a manager's decision that was delivered; not the end of a wait that nobody decided."""
    kind = _callback(message).name.partition("-")[0]
    if kind == TaskKind.MANAGER_APPROVAL and "decision" in message.payload:
        metrics.record({metrics.APPROVALS_PROCESSED: 1})


# --- Stopping, pausing, resuming ----------------------------------------------------------


class Stopped(NamedTuple):
    """The engine's record of an execution that was to be stopped."""

    arn: str
    status: str


def _stop(message: OutboxMessage) -> Send:
    execution = _execution(message)
    execution.refresh_from_db(fields=["arn"])
    if execution.arn is not None:
        return partial(_stop_and_look, execution.arn, **message.payload)
    if _cancel_start(execution):
        return partial(_find_and_stop, execution.name, **message.payload)
    return nothing


def _cancel_start(execution: Execution) -> bool:
    """Keep a start from being delivered; true when an earlier try may have reached the engine.

    Raises ``EngineUnavailable`` while it is on its way.
    """
    starts = OutboxMessage.objects.filter(
        execution=execution, kind=OutboxMessage.Kind.START_EXECUTION
    )
    free = models.Q(leased_until__isnull=True) | models.Q(leased_until__lt=timezone.now())
    starts.filter(free, status=OutboxMessage.Status.PENDING).update(
        status=OutboxMessage.Status.CANCELLED
    )
    under_way = (OutboxMessage.Status.PENDING, OutboxMessage.Status.SENT)
    if starts.filter(status__in=under_way).exists():
        raise EngineUnavailable("the start is under way; its ARN is not known yet")
    return starts.filter(attempts__gt=0).exists()


def _find_and_stop(name: str, *, error_type: str, message: str) -> Stopped | None:
    """Stop an execution whose start was tried and not confirmed; ``None``: it never began."""
    listed = next(engine.executions(name=name), None)
    if listed is None:
        return None
    return _stop_and_look(listed.arn, error_type=error_type, message=message)


def _stop_and_look(arn: str, *, error_type: str, message: str) -> Stopped:
    """Stop it and return how it ended; it may have ended by itself before the stop arrived."""
    try:
        engine.stop(arn=arn, error_type=error_type, message=message)
    except EngineConflict as error:
        logger.info("Not stopped", extra={"arn": arn, "why": str(error)})
    return Stopped(arn=arn, status=str(engine.get(arn=arn)["Status"]))


def _stopped(message: OutboxMessage, future: "Future[Any]") -> None:
    execution = _execution(message)
    found: Stopped | None = None
    try:
        found = future.result()
    except NotFound:
        logger.warning("Nothing to stop", extra={"execution": execution.name})
    if found is not None and found.status in engine.UNFINISHED:
        raise EngineUnavailable("the engine has not stopped it yet")
    rows = Execution.objects.filter(pk=execution.pk)
    rows.filter(ended_at__isnull=True).update(
        status=found.status if found else Execution.Status.STOPPED, ended_at=timezone.now()
    )
    if found is not None:
        rows.filter(arn__isnull=True).update(arn=found.arn)


def _pause(message: OutboxMessage) -> Send:
    """A pause that was taken back before its delivery is not delivered."""
    arn = _arn_while(message, paused=True)
    if arn is None:
        return nothing
    return partial(engine.pause, arn=arn, token=message.key, reason=message.payload["reason"])


def _resume(message: OutboxMessage) -> Send:
    arn = _arn_while(message, paused=False)
    if arn is None:
        return nothing
    pauses = OutboxMessage.objects.filter(
        execution=message.execution,
        kind=OutboxMessage.Kind.PAUSE_EXECUTION,
        status=OutboxMessage.Status.PENDING,
        pk__lt=message.pk,
    )
    if pauses.exists():
        raise EngineUnavailable("the pause is still on its way")
    return partial(engine.resume, arn=arn, token=message.key)


def _arn_while(message: OutboxMessage, *, paused: bool) -> str | None:
    """Return the ARN if the execution is still to be paused or resumed; ``None`` if not.

    Raises ``EngineUnavailable`` while the execution has not started.
    """
    execution = _execution(message)
    execution.refresh_from_db(fields=["arn", "paused_at", "ended_at"])
    if execution.ended_at is not None or (execution.paused_at is not None) != paused:
        return None
    if execution.arn is None:
        raise EngineUnavailable("the execution has not started yet")
    return execution.arn


def _held(message: OutboxMessage, future: "Future[Any]") -> None:
    """The engine may be there already, or at the end: the reconciler compares the two."""
    try:
        future.result()
    except (EngineConflict, NotFound) as error:
        logger.info("Not needed", extra={"key": message.key, "why": str(error)})


# --- Letters --------------------------------------------------------------------------------


def _mail(message: OutboxMessage) -> Send:
    """A letter to many becomes one message for each, written here; the sweep sends them."""
    payload = message.payload
    audience = emails.audience(payload)
    if audience is not None:
        message.note = splitting.split(message, audience)
        return nothing
    letter = emails.build_email(payload)
    if letter is None:
        message.note = f"Nothing sent: {emails.why_nothing(payload, message.application)}"
        return nothing
    message.letter = emails.on_record(payload, letter)
    return letter.send


def _mailed(message: OutboxMessage, future: "Future[Any]") -> None:
    """Record that nothing could be sent to an applicant."""
    future.result()
    application = message.application
    if application is None or emails.NO_ADDRESS not in message.note or "user" in message.payload:
        return
    status = application.get_status_display().lower()
    event_record(
        application=application,
        kind="applicant_not_told",
        message=f"The applicant could not be told by e-mail ({status}): there is no e-mail "
        "address. Tell them by telephone or by post.",
        level=Level.WARNING,
        is_internal=True,
        key=f"not-told/{message.pk}",
    )


def _execution(message: OutboxMessage) -> Execution:
    if message.execution is None:
        raise RuntimeError(f"message {message.pk} has no execution")
    return message.execution


def _callback(message: OutboxMessage) -> PendingCallback:
    if message.callback is None:
        raise RuntimeError(f"message {message.pk} has no callback")
    return message.callback


queue.HANDLERS |= {
    OutboxMessage.Kind.START_EXECUTION: Handler(_start, _started),
    OutboxMessage.Kind.ANSWER_CALLBACK: Handler(_answer, _answered, sent=_count_approval),
    OutboxMessage.Kind.STOP_EXECUTION: Handler(_stop, _stopped),
    OutboxMessage.Kind.PAUSE_EXECUTION: Handler(_pause, _held),
    OutboxMessage.Kind.RESUME_EXECUTION: Handler(_resume, _held),
    OutboxMessage.Kind.EMAIL: Handler(_mail, _mailed),
}
