"""Everything that leaves, leaves from here: claimed, sent, retried, given up aloud.

``put`` writes a row in the caller's transaction. On commit it is sent at once; when that
fails, or the process dies first, ``send_due`` (the sweep) sends it later. Rows are
claimed under a lease, so that several senders can work side by side, and nothing is
sent inside a transaction. What is sent may be sent twice: receivers take that.
"""

import logging
import random
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection, models, transaction
from django.utils import timezone

from workflows import engine, notices
from workflows.errors import CallbackClosed, EngineUnavailable, NotFound
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
FIRST_DELAY = 1.0  # seconds
LONGEST_DELAY = 300.0  # seconds
TRIES = 20
# A person waits for these; the sweep is quick enough for the others.
AT_ONCE = frozenset(
    {
        OutboxMessage.Kind.START_EXECUTION,
        OutboxMessage.Kind.ANSWER_CALLBACK,
        OutboxMessage.Kind.STOP_EXECUTION,
    }
)


def put(*, kind: OutboxMessage.Kind, key: str, payload: dict[str, Any], **links: Any) -> None:
    """Write what has to leave; a ``key`` that was written before stays as it was."""
    message = OutboxMessage(kind=kind, key=key, payload=payload, **links)
    OutboxMessage.objects.bulk_create([message], ignore_conflicts=True)
    if kind in AT_ONCE:
        transaction.on_commit(partial(send_now, key), robust=True)


def send_now(key: str) -> bool:
    """Send one message if it is due; true when it left."""
    message = _claim(OutboxMessage.objects.filter(key=key), limit=1)
    return bool(message) and _send(message[0])


def send_due(*, limit: int = 100) -> int:
    """Send up to ``limit`` messages that are due; returns how many left."""
    pending = OutboxMessage.objects.all()
    if not _due(pending).exists():  # a look that takes no lock: mostly there is nothing
        return 0
    return sum(_send(message) for message in _claim(pending, limit=limit))


def _due(rows: "models.QuerySet[OutboxMessage]") -> "models.QuerySet[OutboxMessage]":
    now = timezone.now()
    free = models.Q(leased_until__isnull=True) | models.Q(leased_until__lt=now)
    return rows.filter(free, status=OutboxMessage.Status.PENDING, due_at__lte=now)


def _claim(rows: "models.QuerySet[OutboxMessage]", *, limit: int) -> list[OutboxMessage]:
    skip = connection.features.has_select_for_update_skip_locked
    with transaction.atomic():
        claimed = list(
            _due(rows)
            .select_for_update(skip_locked=skip, of=("self",), no_key=True)
            .select_related("execution", "callback")
            .order_by("due_at", "id")[:limit]
        )
        OutboxMessage.objects.filter(pk__in=[message.pk for message in claimed]).update(
            leased_until=timezone.now() + LEASE, attempts=models.F("attempts") + 1
        )
    for message in claimed:
        message.attempts += 1
    return claimed


def _send(message: OutboxMessage) -> bool:
    send, settle = SENDERS[OutboxMessage.Kind(message.kind)]
    try:
        learned = send(message)
    except Exception as error:  # noqa: BLE001 - whatever went wrong is written on the row
        _put_off(message, error)
        return False
    with transaction.atomic():
        settle(message, learned)
        OutboxMessage.objects.filter(pk=message.pk).update(
            status=OutboxMessage.Status.SENT,
            sent_at=timezone.now(),
            leased_until=None,
            last_error="",
        )
    logger.info("Sent", extra={"kind": message.kind, "key": message.key})
    return True


def _put_off(message: OutboxMessage, error: Exception) -> None:
    final = message.attempts >= TRIES
    logger.warning(
        "Not sent",
        extra={"kind": message.kind, "key": message.key, "attempt": message.attempts},
        exc_info=error if not isinstance(error, EngineUnavailable) else None,
    )
    with transaction.atomic():
        OutboxMessage.objects.filter(pk=message.pk).update(
            status=OutboxMessage.Status.DEAD if final else OutboxMessage.Status.PENDING,
            due_at=timezone.now() + _delay(message.attempts),
            leased_until=None,
            last_error=f"{type(error).__name__}: {error}"[:2000],
        )
        if final and message.execution is not None:
            Incident.objects.bulk_create(
                [
                    Incident(
                        kind=Incident.Kind.DELIVERY_FAILED,
                        key=f"delivery/{message.pk}",
                        application_id=message.execution.application_id,
                        execution=message.execution,
                        sentence=(
                            f"“{message.get_kind_display()}” was tried {message.attempts} times "
                            f"and did not get through. Last: {error}"
                        ),
                    )
                ],
                ignore_conflicts=True,
            )


def _delay(attempts: int) -> timedelta:
    """Exponential backoff with equal jitter (AWS Architecture Blog, 2015)."""
    longest: float = min(FIRST_DELAY * 2 ** (attempts - 1), LONGEST_DELAY)
    return timedelta(seconds=longest / 2 + random.uniform(0, longest / 2))


# --- One sender and one settling of the books for each kind -------------------------------


def _start(message: OutboxMessage) -> str:
    return engine.start(
        function=settings.LOAN_APPROVAL_FUNCTION,
        name=_execution(message).name,
        payload=message.payload,
    )


def _started(message: OutboxMessage, arn: str) -> None:
    rows = Execution.objects.filter(pk=_execution(message).pk)
    rows.filter(status=Execution.Status.QUEUED).update(
        status=Execution.Status.RUNNING, started_at=timezone.now()
    )
    if arn:
        rows.filter(arn__isnull=True).update(arn=arn)


def _answer(message: OutboxMessage) -> None:
    callback = _callback(message)
    try:
        engine.callback_success(callback_id=callback.callback_id, result=message.payload)
    except (CallbackClosed, NotFound):
        # Closed by our own earlier delivery, or too late: the step that went on knows.
        callback.refresh_from_db(fields=["status"])
        if callback.status == PendingCallback.Status.ANSWERED:
            raise


def _answered(message: OutboxMessage, _: object) -> None:
    PendingCallback.objects.filter(
        pk=_callback(message).pk, status=PendingCallback.Status.ANSWERED
    ).update(status=PendingCallback.Status.DELIVERED, delivered_at=timezone.now())


def _stop(message: OutboxMessage) -> None:
    execution = _execution(message)
    execution.refresh_from_db(fields=["arn"])
    if execution.arn is None:
        _cancel_start(execution)
        return
    try:
        engine.stop(
            arn=execution.arn,
            error_type=message.payload["error_type"],
            message=message.payload["message"],
        )
    except NotFound:
        logger.warning("Nothing to stop", extra={"execution": execution.name})


def _cancel_start(execution: Execution) -> None:
    """Keep a start from leaving. Raises ``EngineUnavailable`` while it may be on its way."""
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


def _stopped(message: OutboxMessage, _: object) -> None:
    Execution.objects.filter(pk=_execution(message).pk, ended_at__isnull=True).update(
        status=Execution.Status.STOPPED, ended_at=timezone.now()
    )


def _mail(message: OutboxMessage) -> None:
    notices.send(message.payload)


def _mailed(message: OutboxMessage, _: object) -> None:
    """Nothing to note but that it left."""


def _execution(message: OutboxMessage) -> Execution:
    if message.execution is None:
        raise RuntimeError(f"message {message.pk} has no execution")
    return message.execution


def _callback(message: OutboxMessage) -> PendingCallback:
    if message.callback is None:
        raise RuntimeError(f"message {message.pk} has no callback")
    return message.callback


SENDERS: dict[OutboxMessage.Kind, tuple[Any, Any]] = {
    OutboxMessage.Kind.START_EXECUTION: (_start, _started),
    OutboxMessage.Kind.ANSWER_CALLBACK: (_answer, _answered),
    OutboxMessage.Kind.STOP_EXECUTION: (_stop, _stopped),
    OutboxMessage.Kind.EMAIL: (_mail, _mailed),
}
