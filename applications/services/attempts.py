"""Begin each step of an attempt at most once, and update the workflow state of applications.

A step may run again after a crash, perhaps much later. Its entry in the timeline is the first that
it writes (``log``): a step that finds it there is done already and writes nothing. A step is
refused with ``ApplicationClosed`` when the application is closed or needs attention, or has a newer
attempt.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from applications.choices import Level, Status, Step
from applications.errors import ApplicationClosed
from applications.locking import application_lock
from applications.models import ApplicationEvent, LoanApplication
from applications.services.timeline import event_record
from applications.signals import application_moved
from applications.transitions import TERMINAL, check_transition, is_terminal
from core import metrics
from lending.choices import Outcome
from lending.models import LendingPolicy
from lending.services import policy_published


@dataclass(frozen=True)
class Attempt:
    """One attempt of one application."""

    reference: str
    number: int

    @property
    def name(self) -> str:
        """Return the name of the execution: at most 64 characters of ``[a-zA-Z0-9-_]``."""
        return f"{self.reference}-{self.number}"

    def key(self, operation: str) -> str:
        """Return the key of an operation's timeline entry, the same whenever it is rerun."""
        return f"{self.name}/{operation}"


def begin_step(attempt: Attempt, operation: str) -> tuple[LoanApplication, bool]:
    """Lock the application; also returns true if this operation closed it before.

    While it is open, ``log`` tells whether the operation was recorded before: call it before
    anything else is written. Inside a transaction. Raises ``ApplicationClosed``.
    """
    application = application_lock(attempt.reference)
    try:
        ensure_current_attempt(attempt, application)
    except ApplicationClosed:
        if ApplicationEvent.objects.filter(key=attempt.key(operation)).exists():
            return application, True
        raise
    return application, False


def ensure_current_attempt(attempt: Attempt, application: LoanApplication) -> None:
    """Refuse to write unless this is the current attempt of an open, locked application.

    Raises ``ApplicationClosed``.
    """
    if application.attempt != attempt.number:
        raise ApplicationClosed(
            reference=attempt.reference, why="a newer attempt carries the application"
        )
    # Operations handles an application that needs attention: an execution that was stopped, or
    # assumed lost, must not change it meanwhile. A restart is a new attempt.
    if is_terminal(application.status) or application.status == Status.NEEDS_ATTENTION:
        raise ApplicationClosed(
            reference=attempt.reference,
            why=f"the application is {Status(application.status).label.lower()}",
        )


def show_step(attempt: Attempt, step: Step) -> None:
    """Set ``current_step`` unless it is further already. One cheap statement, safe to repeat."""
    earlier = list(Step)[: list(Step).index(step)]
    LoanApplication.objects.filter(
        reference=attempt.reference, attempt=attempt.number, current_step__in=earlier
    ).exclude(status__in=[*TERMINAL, Status.NEEDS_ATTENTION]).update(
        current_step=step, updated_at=timezone.now()
    )


def log(
    attempt: Attempt,
    operation: str,
    application: LoanApplication,
    message: str,
    *,
    step: str = "",
    level: Level = Level.INFO,
    is_internal: bool = False,
) -> bool:
    """Write the timeline entry of an operation of the attempt, once; false if it is there."""
    return event_record(
        application=application,
        kind=operation,
        message=message,
        step=step,
        level=level,
        is_internal=is_internal,
        key=attempt.key(operation),
    )


def move(application: LoanApplication, status: Status) -> None:
    """Change the status in memory, if ``transitions`` allows it, and send a signal."""
    check_transition(reference=application.reference, current=application.status, new=status)
    changed = application.status != status
    application.status = status
    application_moved.send(LoanApplication, application=application)
    if changed and settings.LOANOFFICE_METRICS:
        transaction.on_commit(partial(_count, application, status), robust=True)


# What of a new status is counted, and from the submission to when a time is measured.
COUNTED: dict[Status, tuple[metrics.Metric | None, metrics.Metric | None, str]] = {
    Status.APPROVED: (None, metrics.TIME_TO_DECISION, "decided_at"),
    Status.DECLINED: (metrics.APPLICATIONS_DECLINED, metrics.TIME_TO_DECISION, "decided_at"),
    Status.FUNDED: (metrics.APPLICATIONS_FUNDED, metrics.TIME_TO_FUNDED, "closed_at"),
    Status.EXPIRED: (metrics.APPLICATIONS_EXPIRED, None, ""),
}


def _count(application: LoanApplication, status: Status) -> None:
    """Count a committed change of status, with what was stored beside it."""
    count, duration, until = COUNTED.get(status, (None, None, ""))
    values: dict[metrics.Metric, float] = {}
    if count is not None:
        values[count] = 1
    since, ended = application.submitted_at, getattr(application, until) if until else None
    if duration is not None and since is not None and ended is not None:
        values[duration] = (ended - since).total_seconds()
    if values:
        metrics.emit(values)


def stop_waiting(application: LoanApplication) -> None:
    """Clear the fields that show who is waited for, in memory."""
    application.waiting_on = ""
    application.waiting_since = application.waiting_until = None


def reviews_end(applications: Iterable[LoanApplication]) -> None:
    """Let locked applications go on after a review: in review again, waiting for nobody.

    In one statement for those that were pending approval, and one for the others.
    """
    now = timezone.now()
    by_status: defaultdict[Status, list[int]] = defaultdict(list)
    for application in applications:
        stop_waiting(application)
        if application.status == Status.PENDING_APPROVAL:
            move(application, Status.IN_REVIEW)
        application.updated_at = now
        by_status[Status(application.status)].append(application.pk)
    for status, keys in by_status.items():
        LoanApplication.objects.filter(pk__in=keys).update(
            status=status,
            waiting_on="",
            waiting_since=None,
            waiting_until=None,
            updated_at=now,
        )


def close_declined(application: LoanApplication, reasons: list[dict[str, str]]) -> None:
    """Close a locked application as declined for these reasons, in memory."""
    move(application, Status.DECLINED)
    now = timezone.now()
    application.outcome = Outcome.DECLINE
    application.decision_reasons = reasons
    application.decided_at = application.closed_at = now
    stop_waiting(application)


def save(application: LoanApplication, *also: str) -> None:
    """Save the fields that the workflow sets, and ``also``; never the fields that people edit."""
    application.save(
        update_fields=[
            "status",
            "current_step",
            "waiting_on",
            "waiting_since",
            "waiting_until",
            "outcome",
            "decision_reasons",
            "decided_at",
            "closed_at",
            "updated_at",
            *also,
        ]
    )


def pinned_policy(application: LoanApplication) -> LendingPolicy:
    """Return the policy version that validation pinned to the application."""
    if application.policy_id is None:
        raise RuntimeError(f"{application.reference} was not validated: it has no policy")
    return policy_published(application.policy_id)
