"""Write pending callbacks and their answers. Lock order: see ``core.locking``."""

from collections.abc import Iterable
from datetime import datetime
from enum import Enum, auto
from typing import Any

from django.db import transaction
from django.db.models import Case, JSONField, Max, QuerySet, Subquery, Value, When
from django.utils import timezone

from applications.choices import FraudVerdict, Level
from applications.locking import application_lock
from applications.models import LoanApplication
from applications.services.attempts import Attempt
from applications.services.timeline import event_record
from core.locking import locked
from core.traces import spans
from reviews.choices import TaskKind, TaskStatus
from reviews.models import ReviewDecision, ReviewTask
from reviews.services.tasks import task_expire
from workflows.callbacks.flags import flag_record
from workflows.incidents import incident_open
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback
from workflows.outbox import queue

EXPIRED = "expired"  # the outcome that the sweep answers for a task that nobody decided


def callback_open(
    attempt: Attempt,
    *,
    name: str,
    callback_id: str,
    expires_at: datetime,
    review_task: ReviewTask | None = None,
) -> None:
    """Create a pending callback. Must be committed before the callback id is sent."""
    PendingCallback.objects.create(
        execution_id=Subquery(Execution.objects.filter(name=attempt.name).values("pk")),
        name=name,
        callback_id=callback_id,
        review_task=review_task,
        expires_at=expires_at,
    )


def callback_move(*, task: ReviewTask, callback_id: str) -> None:
    """Let the pending callback of an open task wait under another id of the engine.

    For a wait that ended in the engine without an answer on record.
    """
    PendingCallback.objects.filter(review_task=task, status=PendingCallback.Status.OPEN).update(
        callback_id=callback_id
    )


def tasks_answer(*, decisions: Iterable[ReviewDecision]) -> None:
    """Record the outcomes of review tasks as the answers of their callbacks.

    In the deciding transaction; ``decisions`` are those that settled the tasks.
    """
    settled = {decision.task_id: decision for decision in decisions}
    waiting = PendingCallback.objects.select_related("execution")
    callbacks = list(locked(waiting.filter(review_task__in=settled)))
    if missing := settled.keys() - {callback.review_task_id for callback in callbacks}:
        raise RuntimeError(f"tasks without a callback: {sorted(missing)}")
    for callback in callbacks:
        if callback.review_task_id is not None:
            decision = settled[callback.review_task_id]
            callback.answer = {
                "outcome": decision.task.outcome,
                "task": decision.task_id,
                "decision": decision.pk,
            }
    _answered(callbacks)


class CallbackReceipt(Enum):
    """The outcome of an outside service's answer."""

    COUNTED = auto()  # the first answer
    REPEATED = auto()  # the same answer again
    CONTRADICTED = auto()
    LATE = auto()


@transaction.atomic
def callback_receive(*, callback_id: str, answer: dict[str, Any]) -> CallbackReceipt:
    """Record the answer of an outside service; the first answer counts.

    The same answer again changes nothing. A different one opens an incident and is not applied;
    one that comes too late is put on the timeline. A fraud flag is recorded whenever it comes.
    Raises ``PendingCallback.DoesNotExist``.
    """
    try:
        # Neither a callback nor an execution ever belongs to another.
        application = locked(LoanApplication.objects.all()).get(
            executions__callbacks__callback_id=callback_id
        )
    except LoanApplication.DoesNotExist as error:
        raise PendingCallback.DoesNotExist(*error.args) from error
    waiting = PendingCallback.objects.select_related("execution")
    callback = locked(waiting).get(callback_id=callback_id)
    if answer.get("result") == FraudVerdict.FLAGGED:
        flag_record(application=application, callback=callback)
    if callback.status == PendingCallback.Status.OPEN:
        _answer(callback, answer)
        return CallbackReceipt.COUNTED
    if callback.answer is None:
        event_record(
            application=application,
            kind="late_answer",
            message=f"An answer to {callback.name} came too late and was not applied.",
            level=Level.WARNING,
            is_internal=True,
            data={"answer": answer},
        )
        return CallbackReceipt.LATE
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
        return CallbackReceipt.CONTRADICTED
    return CallbackReceipt.REPEATED


def callbacks_settle(attempt: Attempt) -> None:
    """Mark the answers of an attempt as delivered: its execution has gone on with them.

    The outbox may not know yet that they arrived.
    """
    PendingCallback.objects.filter(
        execution__name=attempt.name, status=PendingCallback.Status.ANSWERED
    ).update(status=PendingCallback.Status.DELIVERED, delivered_at=timezone.now())


def task_callbacks_expire(attempt: Attempt, kind: TaskKind) -> None:
    """Expire the callback of a review: the engine stopped waiting before an answer reached it."""
    _expire(PendingCallback.objects.filter(execution__name=attempt.name, review_task__kind=kind))


def fraud_answer_consume(attempt: Attempt) -> dict[str, Any] | None:
    """Return the recorded answer of the last try of the fraud check, or expire that try.

    For a wait that ended in the engine without it. The execution goes on with the answer as if
    it had been delivered, also when the reconciler found first that the engine had not got it.
    Idempotent. In a transaction.
    """
    tries = PendingCallback.objects.filter(execution__name=attempt.name, review_task__isnull=True)
    rows = tries.filter(pk=tries.aggregate(last=Max("pk"))["last"])
    rows.filter(
        status__in=[PendingCallback.Status.ANSWERED, PendingCallback.Status.EXPIRED],
        answer__isnull=False,
    ).update(status=PendingCallback.Status.DELIVERED, delivered_at=timezone.now())
    _expire(rows)
    delivered = rows.filter(status=PendingCallback.Status.DELIVERED).first()
    return None if delivered is None else delivered.answer


def callbacks_expire(attempt: Attempt) -> None:
    """Expire the callbacks of an attempt whose execution is over and cancel undelivered answers."""
    PendingCallback.objects.filter(
        execution__name=attempt.name,
        status__in=[PendingCallback.Status.OPEN, PendingCallback.Status.ANSWERED],
    ).update(status=PendingCallback.Status.EXPIRED)
    OutboxMessage.objects.filter(
        execution__name=attempt.name,
        kind=OutboxMessage.Kind.ANSWER_CALLBACK,
        status=OutboxMessage.Status.PENDING,
    ).update(status=OutboxMessage.Status.CANCELLED)


@transaction.atomic
def task_time_out(*, task_id: int) -> bool:
    """Expire a review task whose time is over; false when it was decided or expired before."""
    reference = ReviewTask.objects.values_list("application__reference", flat=True).get(pk=task_id)
    application_lock(reference)
    task = locked(ReviewTask.objects.all()).get(pk=task_id)
    if task.status != TaskStatus.OPEN or timezone.now() < task.expires_at:
        return False
    task_expire(task=task, now=timezone.now())
    callback = locked(PendingCallback.objects.all()).filter(review_task=task).first()
    if callback is not None and callback.status == PendingCallback.Status.OPEN:
        _answer(callback, {"outcome": EXPIRED, "task": task.pk})
    return True


def _expire(callbacks: QuerySet[PendingCallback]) -> None:
    """Expire those of some callbacks that the engine has no answer to."""
    callbacks.filter(
        status__in=[PendingCallback.Status.OPEN, PendingCallback.Status.ANSWERED]
    ).update(status=PendingCallback.Status.EXPIRED)


def _answer(callback: PendingCallback, answer: dict[str, Any]) -> None:
    callback.answer = answer
    _answered([callback])


def _answered(callbacks: list[PendingCallback]) -> None:
    """Store the answers of callbacks and queue their delivery; two statements for many."""
    spans.link(*(callback.traceparent for callback in callbacks))
    now = timezone.now()
    for callback in callbacks:
        callback.status, callback.answered_at = PendingCallback.Status.ANSWERED, now
    # What ``bulk_update`` would write, with one value for each row only where they differ.
    answers = (
        When(pk=callback.pk, then=Value(callback.answer, JSONField())) for callback in callbacks
    )
    PendingCallback.objects.filter(pk__in=[callback.pk for callback in callbacks]).update(
        status=PendingCallback.Status.ANSWERED, answered_at=now, answer=Case(*answers)
    )
    queue.put_many(map(_delivery, callbacks))


def answer_put(callback: PendingCallback) -> None:
    """Queue the delivery of a callback's answer."""
    queue.put_many([_delivery(callback)])


def _delivery(callback: PendingCallback) -> OutboxMessage:
    # With the execution itself where it was read, for the log lines of what is sent at once.
    known: dict[str, Any] = (
        {"execution": callback.execution}
        if "execution" in callback._state.fields_cache
        else {"execution_id": callback.execution_id}
    )
    return OutboxMessage(
        kind=OutboxMessage.Kind.ANSWER_CALLBACK,
        key=f"answer/{callback.pk}",
        callback=callback,
        **known,
        payload=callback.answer or {},
    )
