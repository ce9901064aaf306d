"""Decide many tasks with one outcome, in chunks of one transaction each.

A row that is refused does not undo others, and a chunk that another transaction is in the way of
is decided row by row. The bulk decision is stored before its first row is decided, and the state
of a row changes in the transaction of its decision. So continuing after a crash, or sending the
same form twice, decides only the waiting rows, each once. Lock order: the rows of the bulk
decision, then applications, tasks and the rest; rows by primary key.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.db import OperationalError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from applications.services.timeline import text_for_everybody
from core.errors import DomainError, NotPermitted
from core.locking import is_contention, locked
from lending.choices import Outcome
from reviews.errors import AlreadyDecided
from reviews.kinds import STAFF_KINDS
from reviews.models import BulkDecision, BulkDecisionRow, ReviewTask
from reviews.selectors import answered_alike
from reviews.services import decisions

State = BulkDecisionRow.State
# The largest number of rows; a form has a field for each (DATA_UPLOAD_MAX_NUMBER_FIELDS).
MOST = 2_000
# Rows of one transaction. Whoever waits for one of their locks waits for all of them.
CHUNK = 100
# API Gateway ends an HTTP request after 29 seconds; the remaining rows wait to be continued.
PATIENCE = timedelta(seconds=15)
# A process that started longer ago than this has crashed.
LONGEST = timedelta(seconds=60)
IN_THE_WAY = "Somebody else was changing it at the same moment."


@dataclass(frozen=True, order=True)
class Read:
    """A row as a person read it: primary keys and version. Rows sort by the application's key."""

    application: int
    task: int
    version: int


@transaction.atomic
def bulk_begin(
    *,
    user: User,
    token: UUID,
    outcome: Outcome,
    rows: Sequence[Read],
    reason: str = "",
    reason_code: str = "",
) -> BulkDecision | None:
    """Store a bulk decision with its rows; nothing is decided yet.

    Returns the existing one if this person used this token before, and ``None`` if no row has a
    task that can be decided in bulk. Raises ``NotPermitted``.
    """
    if not decisions.may_decide_some(user=user, kinds=STAFF_KINDS):
        raise NotPermitted("You may not decide applications.")
    begun = BulkDecision.objects.filter(decided_by=user, token=token).first()
    if begun is not None:
        return begun
    asked = ReviewTask.objects.filter(kind__in=STAFF_KINDS).select_related("application")
    tasks = asked.in_bulk([row.task for row in rows[:MOST]])
    known = {
        row.task: row
        for row in sorted(rows[:MOST])
        if row.task in tasks and tasks[row.task].application_id == row.application
    }
    if not known:
        return None
    for number in known:
        reason = text_for_everybody(reason, tasks[number].application)
    run, created = BulkDecision.objects.get_or_create(
        decided_by=user,
        token=token,
        defaults={"outcome": outcome, "reason": reason.strip(), "reason_code": reason_code},
    )
    if created:
        BulkDecisionRow.objects.bulk_create(
            BulkDecisionRow(
                run=run, application_id=row.application, task_id=row.task, version=row.version
            )
            for row in known.values()
        )
    return run


def bulk_carry_on(*, run: BulkDecision) -> bool:
    """Decide the waiting rows for at most ``PATIENCE``; true when none is left.

    Does nothing while another process works on the bulk decision.
    """
    now = timezone.now()
    free = Q(carried_on_at__isnull=True) | Q(carried_on_at__lt=now - LONGEST)
    mine = BulkDecision.objects.filter(free, pk=run.pk, finished_at__isnull=True)
    if not mine.update(carried_on_at=now):
        return not waiting_rows(run).exists()
    deadline = time.monotonic() + PATIENCE.total_seconds()
    while time.monotonic() < deadline and (chunk := _next_chunk(run)):
        if _decide(run, chunk):
            _decide_each(run, chunk, deadline)
    done = not waiting_rows(run).exists()
    BulkDecision.objects.filter(pk=run.pk, carried_on_at=now).update(
        carried_on_at=None, finished_at=timezone.now() if done else None
    )
    run.refresh_from_db(fields=["carried_on_at", "finished_at"])
    return done


def is_left_alone(run: BulkDecision) -> bool:
    """True if it is not finished and no process works on it."""
    at = run.carried_on_at
    return run.finished_at is None and (at is None or timezone.now() >= at + LONGEST)


def waiting_rows(run: BulkDecision) -> QuerySet[BulkDecisionRow]:
    return BulkDecisionRow.objects.filter(run=run, state=State.WAITING)


def _next_chunk(run: BulkDecision) -> list[int]:
    """Return the keys of the next rows, by their applications; one row of each application.

    A second task of an application is checked after the first one is decided.
    """
    rows = waiting_rows(run).order_by("application_id", "pk")
    chosen: dict[int, int] = {}
    for application, row in rows.values_list("application_id", "pk")[:CHUNK]:
        chosen.setdefault(application, row)
    return list(chosen.values())


def _decide_each(run: BulkDecision, rows: Collection[int], deadline: float) -> None:
    """Decide the rows of a chunk each in its own transaction; one in the way refuses one row."""
    for row in rows:
        if time.monotonic() >= deadline:
            break
        if why := _decide(run, [row]):
            waiting_rows(run).filter(pk=row).update(state=State.REFUSED, why=why)


def _decide(run: BulkDecision, rows: Collection[int]) -> str:
    """Decide rows in one transaction; returns why that was rolled back, empty if it was not.

    With one retry when the database rolled back because of contention.
    """
    for _ in range(2):
        try:
            _decide_once(run, rows)
        except DomainError as refused:
            return str(refused)
        except OperationalError as error:
            if not is_contention(error):
                raise
        else:
            return ""
    return IN_THE_WAY


@transaction.atomic
def _decide_once(run: BulkDecision, keys: Collection[int]) -> None:
    # Under their locks, so that a second process finds that they are no longer waiting.
    rows = list(locked(waiting_rows(run).filter(pk__in=keys)))
    if not rows:
        return
    outcome = Outcome(run.outcome)
    results = decisions.tasks_decide(
        versions={row.task_id: row.version for row in rows},
        user=run.decided_by,
        outcome=outcome,
        reason=run.reason,
        reason_code=run.reason_code,
    )
    refused = {task: result for task, result in results.items() if isinstance(result, DomainError)}
    decided = [task for task, result in results.items() if isinstance(result, AlreadyDecided)]
    alike = answered_alike(tasks=decided, user=run.decided_by, outcome=outcome) if decided else ()
    by_state: defaultdict[State, list[int]] = defaultdict(list)
    for row in rows:
        why = refused.get(row.task_id)
        if why is None:
            by_state[State.DECIDED].append(row.pk)
        elif row.task_id in alike:
            by_state[State.REPEATED].append(row.pk)
        else:
            row.state, row.why = State.REFUSED, str(why)
    for state, them in by_state.items():
        BulkDecisionRow.objects.filter(pk__in=them).update(state=state)
    BulkDecisionRow.objects.bulk_update(
        [row for row in rows if row.state == State.REFUSED], ["state", "why"]
    )
