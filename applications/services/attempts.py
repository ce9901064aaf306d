"""Begin a step of an attempt exactly once, and the small parts that steps share.

A step may run again after a crash, perhaps much later. With ``begin_step`` an attempt that
finds its own line in the timeline has been here and writes nothing; one whose case has closed
or was handed to Operations, or that a newer attempt replaced, is refused with ``CaseClosed``.
"""

from dataclasses import dataclass

from django.utils import timezone

from applications.choices import Level, Status, Step
from applications.errors import CaseClosed
from applications.locking import application_lock
from applications.models import ApplicationEvent, LoanApplication
from applications.services.timeline import event_record
from applications.signals import application_moved
from applications.transitions import TERMINAL, check_transition, is_terminal
from lending.choices import Outcome
from lending.models import LendingPolicy


@dataclass(frozen=True)
class Attempt:
    """One attempt at carrying one application."""

    reference: str
    attempt: int

    @property
    def name(self) -> str:
        """The name of the durable execution: at most 64 of ``[a-zA-Z0-9-_]``."""
        return f"{self.reference}-{self.attempt}"

    def key(self, operation: str) -> str:
        """The key that makes a replayed operation's line of the timeline the same line."""
        return f"{self.name}/{operation}"


def begin_step(run: Attempt, operation: str) -> tuple[LoanApplication, bool]:
    """Lock the case; true beside it when this operation of the run was recorded before.

    Call inside a transaction. Raises ``CaseClosed``.
    """
    application = application_lock(run.reference)
    if ApplicationEvent.objects.filter(key=run.key(operation)).exists():
        return application, True
    ensure_current_attempt(run, application)
    return application, False


def ensure_current_attempt(run: Attempt, application: LoanApplication) -> None:
    """Raise ``CaseClosed`` when the run does not carry this locked case (any more)."""
    if application.attempt != run.attempt:
        raise CaseClosed(reference=run.reference, why="a newer attempt carries the case")
    # What needs attention is in the hands of Operations: a run that was stopped, or that was
    # given up for lost, does not go on behind their back. A restart is a new attempt.
    if is_terminal(application.status) or application.status == Status.NEEDS_ATTENTION:
        raise CaseClosed(
            reference=run.reference, why=f"the case is {Status(application.status).label.lower()}"
        )


def show_step(run: Attempt, step: Step) -> None:
    """Show that ``step`` is being worked on. One cheap statement; a late repeat does nothing."""
    earlier = list(Step)[: list(Step).index(step)]
    LoanApplication.objects.filter(
        reference=run.reference, attempt=run.attempt, current_step__in=earlier
    ).exclude(status__in=[*TERMINAL, Status.NEEDS_ATTENTION]).update(
        current_step=step, updated_at=timezone.now()
    )


def log(
    run: Attempt,
    operation: str,
    application: LoanApplication,
    message: str,
    *,
    step: str = "",
    level: Level = Level.INFO,
    is_internal: bool = False,
) -> None:
    """Write the line that says this operation of the run is done, once."""
    event_record(
        application=application,
        kind=operation,
        message=message,
        step=step,
        level=level,
        is_internal=is_internal,
        key=run.key(operation),
    )


def move(application: LoanApplication, status: Status) -> None:
    """Change the status in memory, if ``transitions`` allows it, and tell those above."""
    check_transition(reference=application.reference, current=application.status, new=status)
    application.status = status
    application_moved.send(LoanApplication, application=application)


def stop_waiting(application: LoanApplication) -> None:
    """Nobody is waited for any more; in memory."""
    application.waiting_on = ""
    application.waiting_since = application.waiting_until = None


def close_declined(application: LoanApplication, reasons: list[dict[str, str]]) -> None:
    """Close a locked application as declined for these reasons; in memory."""
    move(application, Status.DECLINED)
    now = timezone.now()
    application.outcome = Outcome.DECLINE
    application.decision_reasons = reasons
    application.decided_at = application.closed_at = now
    stop_waiting(application)


def save(application: LoanApplication, *also: str) -> None:
    """Write the fields that the workflow sets and ``also``; never what a person edits."""
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
    """The policy that validation pinned to this case."""
    if application.policy is None:
        raise RuntimeError(f"{application.reference} was not validated: it has no policy")
    return application.policy
