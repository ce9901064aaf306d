"""Apply the deadlines of review tasks: remind when due, escalate half way, expire at the end.

Each task is one short transaction under its application's lock, so that a deadline is safe
beside a decision, a withdrawal and another sweep.
"""

import math
import time
from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db import transaction
from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, QuerySet, Value

from applications.locking import application_lock
from applications.models import LoanApplication
from reviews.choices import TaskKind, TaskStatus
from reviews.kinds import ESCALATED_KINDS, REVIEW_KINDS
from reviews.locking import task_lock
from reviews.models import ReviewDecision, ReviewTask
from reviews.services.tasks import task_escalate, task_remind
from workflows.callbacks import pending
from workflows.models import OutboxMessage
from workflows.outbox import queue
from workflows.outbox.emails import TO_APPLICANT
from workflows.outbox.task_letters import Notice

BATCH = 200  # tasks of one sweep, for each kind of deadline


def pass_deadlines(*, now: datetime, seconds: float = math.inf) -> dict[str, int]:
    """Expire, remind and escalate what is due by ``now``, at most ``BATCH`` tasks of each kind.

    Begins nothing more after so many seconds. Returns
    ``{"expired": n, "reminded": n, "escalated": n}``.
    """
    ends_at = time.monotonic() + seconds
    still_open = ReviewTask.objects.filter(status=TaskStatus.OPEN)
    over = _keys(still_open.filter(expires_at__lte=now), ends_at)
    expired = sum(pending.task_time_out(task_id=pk) for pk in over)
    reminded = sum(remind(task_id=pk, now=now) for pk in _keys(_due(still_open, now), ends_at))
    half_way = _keys(_half_way(still_open, now), ends_at)
    escalated = sum(escalate(task_id=pk, now=now) for pk in half_way)
    return {"expired": expired, "reminded": reminded, "escalated": escalated}


@transaction.atomic
def remind(*, task_id: int, now: datetime) -> bool:
    """Remind the deciders of a task once; false when no reminder is due any more."""
    application, task = _locked(task_id)
    if task.status != TaskStatus.OPEN or task.reminded_at is not None or now < task.due_at:
        return False
    task_remind(application=application, task=task, now=now)
    notify(task=task, notice=Notice.DUE)
    return True


@transaction.atomic
def escalate(*, task_id: int, now: datetime) -> bool:
    """Escalate a task to those above its deciders once; false when it is not due any more."""
    application, task = _locked(task_id)
    half_way = task.opened_at + (task.expires_at - task.opened_at) / 2
    if task.status != TaskStatus.OPEN or task.escalated_at is not None or now < half_way:
        return False
    task_escalate(application=application, task=task, now=now)
    notify(task=task, notice=Notice.ESCALATED)
    return True


def notify(*, task: ReviewTask, notice: Notice) -> None:
    """Queue one notice about a task; the outbox handler finds its recipients."""
    key = f"task/{task.pk}" if notice == Notice.OPENED else f"task/{task.pk}/{notice.value}"
    queue.put_many([_message(task, notice, key)])


def notify_again(*, task: ReviewTask, decision: ReviewDecision) -> None:
    """Queue the notice that a task is open once more: this approval of it was voided."""
    key = f"task/{task.pk}/again/{decision.pk}"
    queue.put_many([_message(task, Notice.OPENED, key, again=decision.pk)])


def notify_next(*, decisions: Iterable[ReviewDecision]) -> None:
    """Queue the notices to whoever may give the approvals that tasks take besides these."""
    queue.put_many(
        _message(
            decision.task,
            Notice.OPENED,
            f"task/{decision.task_id}/next/{decision.pk}",
            next=decision.pk,
        )
        for decision in decisions
    )


def _message(task: ReviewTask, notice: Notice, key: str, **after: int) -> OutboxMessage:
    """Make a notice, ``after`` a decision: which asks ``again``, or for the ``next`` one."""
    asks_applicant = not REVIEW_KINDS[TaskKind(task.kind)].decided_by_staff
    return OutboxMessage(
        kind=OutboxMessage.Kind.EMAIL,
        key=key,
        payload={
            "task": task.pk,
            "notice": notice.value,
            **after,
            **({"to": TO_APPLICANT} if asks_applicant else {}),
        },
        application_id=task.application_id,
    )


def _due(tasks: QuerySet[ReviewTask], now: datetime) -> QuerySet[ReviewTask]:
    return tasks.filter(reminded_at__isnull=True, due_at__lte=now)


def _half_way(tasks: QuerySet[ReviewTask], now: datetime) -> QuerySet[ReviewTask]:
    """Select the tasks for which at least half of the time to decide is over."""
    moment = Value(now, output_field=DateTimeField())
    spent = ExpressionWrapper(moment - F("opened_at"), output_field=DurationField())
    left = ExpressionWrapper(F("expires_at") - moment, output_field=DurationField())
    waiting = tasks.filter(escalated_at__isnull=True, kind__in=ESCALATED_KINDS)
    return waiting.annotate(spent=spent, left=left).filter(spent__gte=F("left"))


def _keys(tasks: QuerySet[ReviewTask], ends_at: float) -> Iterator[int]:
    """Yield the tasks while there is time, and the first one in any case."""
    for number, pk in enumerate(list(tasks.order_by("pk").values_list("pk", flat=True)[:BATCH])):
        if number and time.monotonic() >= ends_at:
            return
        yield pk


def _locked(task_id: int) -> tuple[LoanApplication, ReviewTask]:
    reference = ReviewTask.objects.values_list("application__reference", flat=True).get(pk=task_id)
    return application_lock(reference), task_lock(task_id)
