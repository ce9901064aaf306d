"""Begin a step of the workflow only when the record has what the step requires."""

from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import NamedTuple

from django.utils import timezone

from applications.choices import Level
from applications.contributions import contributions_load
from applications.locking import application_lock
from applications.models import ApplicationEvent, LoanApplication
from applications.services.attempts import Attempt, ensure_current_attempt
from applications.services.timeline import event_record
from reviews.choices import TaskKind, TaskStatus
from reviews.kinds import REVIEW_KINDS
from reviews.models import ReviewTask
from workflows import funding_requirements as requirements
from workflows.callbacks.wakeups import WakeUp, wakeup_settle
from workflows.errors import NotApproved
from workflows.funding_requirements import BEFORE_PAYOUT, Facts, Requirements


@dataclass(frozen=True)
class Missing:
    """Decisions that a step found missing on record, instead of its own result.

    By kind of review or ``FRAUD_CHECK``: the seconds left to decide the open task; 0 when
    there is none yet.
    """

    missing: dict[str, int]


class Begun(NamedTuple):
    """The state of a step that begins."""

    application: LoanApplication
    seen: bool  # it was done before
    missing: Missing | None = None  # it must not go on
    facts: Facts | None = None  # as they were read


def begin_checked(
    attempt: Attempt,
    *,
    operation: str,
    work: str,
    wakeup: WakeUp | None,
    needs: Requirements = frozenset(),
    ended_wait: TaskKind | None = None,
    asks_people: bool = False,
) -> Begun:
    """Lock the application and compare the record with the wake-up and the needs of a step.

    ``operation`` names this try of the step, ``work`` its entry in the timeline once it is done.
    ``ended_wait`` is a review that the engine stopped waiting for by itself: it is missing while
    its task is open and has time left, because the record's clock decides. A step that
    ``asks_people`` needs to know who worked on the application, so that is read as well.
    What is missing is put on the timeline, so that this try always has the same result. Inside a
    transaction. Raises ``ApplicationClosed``, ``AnswerDiffers``, and ``NotApproved`` where asking
    again would not help.
    """
    application = application_lock(attempt.reference)
    kept = attempt.key(f"{operation}/missing")
    keys = (attempt.key(work), kept)
    if asks_people:
        known = {entry.key: entry.data for entry in contributions_load(application, keys=keys)}
    else:
        known = dict(ApplicationEvent.objects.filter(key__in=keys).values_list("key", "data"))
    if attempt.key(work) in known:
        return Begun(application, seen=True)
    ensure_current_attempt(attempt, application)
    if kept in known:
        return Begun(application, seen=False, missing=Missing(known[kept]["missing"]))
    is_recorded = wakeup is None or wakeup_settle(attempt, application, wakeup)
    facts = facts_of(application, needs) if needs else None
    lacks = () if facts is None else _obtainable(application, facts, needs)
    if wakeup is not None and not is_recorded and not needs:
        lacks = (wakeup.kind or requirements.FRAUD_CHECK,)
    is_early = ended_wait is not None and _has_time_left(application, ended_wait)
    if ended_wait is not None and is_early:
        lacks = (ended_wait,)
    if not lacks:
        return Begun(application, seen=False, facts=facts)
    missing = Missing({each: _seconds_left(application, each) for each in lacks})
    event_record(
        application=application,
        kind="not_decided",
        message=f"The record still lacks {requirements.described(lacks)}; it is waited for."
        if not is_early
        else "The engine stopped waiting before the time to decide was over; it waits again.",
        level=Level.WARNING,
        is_internal=True,
        key=kept,
        data={"missing": missing.missing},
    )
    return Begun(application, seen=False, missing=missing)


def facts_of(application: LoanApplication, needs: Requirements = BEFORE_PAYOUT) -> Facts:
    """Read the facts about a locked application that ``needs`` are about."""
    return requirements.facts_read([application.pk], needs)[application.pk]


def _obtainable(application: LoanApplication, facts: Facts, needs: Requirements) -> tuple[str, ...]:
    """Return what is lacking and can be asked for. Raises ``NotApproved`` for anything else."""
    lacks = requirements.lacking(facts, needs)
    if requirements.RISK_ASSESSMENT in lacks:
        why = "no risk assessment of this attempt accepts it"
        raise NotApproved(reference=application.reference, why=why)
    if facts.declined:
        kinds = " and ".join(sorted(REVIEW_KINDS[TaskKind(kind)].named for kind in facts.declined))
        raise NotApproved(reference=application.reference, why=f"{kinds} declined it")
    return lacks


def latest_task(application: LoanApplication, kind: TaskKind) -> ReviewTask | None:
    """Return the newest task of a kind in the current attempt."""
    return (
        ReviewTask.objects.filter(application=application, attempt=application.attempt, kind=kind)
        .order_by("-number")
        .first()
    )


def _seconds_left(application: LoanApplication, lack: str) -> int:
    if lack == requirements.FRAUD_CHECK:
        return 0
    task = latest_task(application, TaskKind(lack))
    if task is None or task.status != TaskStatus.OPEN:
        return 0
    return seconds_until(task.expires_at)


def _has_time_left(application: LoanApplication, kind: TaskKind) -> bool:
    task = latest_task(application, kind)
    return task is not None and task.status == TaskStatus.OPEN and timezone.now() < task.expires_at


def seconds_until(at: datetime) -> int:
    """Return the seconds from now until ``at``, as the engine counts them: whole, at least one."""
    return max(1, ceil((at - timezone.now()).total_seconds()))
