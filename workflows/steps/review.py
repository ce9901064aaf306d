"""Ask people to decide, and close an application that they declined or nobody decided."""

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from applications.choices import Level, Status
from applications.models import LoanApplication, RiskAssessment
from applications.services import attempts
from lending.choices import Outcome
from reviews.choices import TaskKind, TaskStatus
from reviews.kinds import REVIEW_KINDS, Trigger
from reviews.locking import task_lock
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions, tasks
from reviews.services.decline_reasons import reasons_shown
from workflows import executions, handover
from workflows.callbacks import pending
from workflows.db_threads import run_in_db_thread
from workflows.executions import Closed


def open_review(
    attempt: attempts.Attempt, kind: TaskKind, *, callback_id: str, after: TaskKind | None
) -> None:
    """Ask people, and expect the answer under this callback.

    ``after`` is who was asked just before, whose answer has been delivered.
    """

    @transaction.atomic
    def write() -> None:
        if after is not None or REVIEW_KINDS[kind].trigger is Trigger.FLAGGED:
            pending.callbacks_settle(attempt)
        task = review_open(attempt, kind)
        if task is not None:
            pending.callback_open(
                attempt,
                name=kind.value,
                callback_id=callback_id,
                expires_at=task.expires_at + settings.LOANOFFICE_DELIVERY_GRACE,
                review_task=task,
            )

    run_in_db_thread(write)


def decline(attempt: attempts.Attempt, kind: TaskKind) -> Closed:
    """Close an application that a person declined."""

    @transaction.atomic
    def write() -> Closed:
        pending.callbacks_settle(attempt)
        declined_on_review(attempt, kind)
        return executions.execution_finish(attempt, Status.DECLINED)

    return run_in_db_thread(write)


def expire(attempt: attempts.Attempt, kind: TaskKind, *, timed_out: bool) -> Closed:
    """Close an application that nobody decided in time; a decision that came late is kept.

    ``timed_out``: the engine stopped waiting by itself; else the sweep answered the callback.
    """

    @transaction.atomic
    def write() -> Closed:
        if timed_out:
            pending.callback_expire(attempt, kind.value)
        else:
            pending.callbacks_settle(attempt)
        if expired(attempt, kind):
            return executions.execution_finish(attempt, Status.EXPIRED)
        # The incident is open already: the decision is kept as late.
        return handover.give_up(
            attempt,
            kind=None,
            sentence=(
                f"{kind.label} was decided, but the decision did not reach the workflow before "
                "it stopped waiting. Restart the application to decide again."
            ),
        )

    return run_in_db_thread(write)


def review_open(attempt: attempts.Attempt, kind: TaskKind) -> ReviewTask | None:
    """Ask a person; ``None`` when this attempt has asked before. Call inside a transaction.

    Raises ``ApplicationClosed``.
    """
    application, seen = attempts.begin_step(attempt, f"open_{kind.value}")
    if seen:
        return None
    now = timezone.now()
    reasons = _why_asked(application, kind)
    task = tasks.task_open(
        application=application,
        kind=kind,
        policy=attempts.pinned_policy(application),
        reasons=reasons,
        now=now,
    )
    who = task.get_assigned_role_display().lower()
    attempts.log(
        attempt, f"open_{kind.value}", application, f"Waiting for {_article(who)} {who} to decide."
    )
    attempts.save(application)
    return task


@transaction.atomic(savepoint=False)
def declined_on_review(attempt: attempts.Attempt, kind: TaskKind) -> None:
    """Close an application that a person declined, with their reason.

    Raises ``ApplicationClosed``.
    """
    operation = f"declined_{kind.value}"
    application, seen = attempts.begin_step(attempt, operation)
    if seen:
        return
    decision = ReviewDecision.objects.get(
        task__application=application,
        task__attempt=attempt.number,
        task__kind=kind,
        outcome=Outcome.DECLINE,
        late=False,
    )
    reasons = reasons_shown(kind=kind, decision=decision)
    sentences = " ".join(reason["text"] for reason in reasons)
    attempts.close_declined(application, reasons)
    attempts.log(attempt, operation, application, f"Declined. {sentences}", level=Level.WARNING)
    attempts.save(application)


@transaction.atomic(savepoint=False)
def expired(attempt: attempts.Attempt, kind: TaskKind) -> bool:
    """Close an application that nobody decided in time: expiry never approves.

    False when somebody did decide, but the engine had stopped waiting before it heard of
    it: then the decision is kept as late, and a person has to look. Raises ``ApplicationClosed``.
    """
    operation = f"expired_{kind.value}"
    application, seen = attempts.begin_step(attempt, operation)
    if seen:
        return True
    task = task_lock(
        ReviewTask.objects.values_list("pk", flat=True).get(
            application=application, attempt=attempt.number, kind=kind
        )
    )
    if task.status == TaskStatus.DECIDED:
        decisions.decisions_undo_as_late(application=application, task=task)
        return False
    now = timezone.now()
    tasks.task_expire(task=task, now=now)
    attempts.move(application, Status.EXPIRED)
    application.closed_at = now
    attempts.stop_waiting(application)
    attempts.log(
        attempt,
        operation,
        application,
        f"{kind.label}: nobody decided in time, so the application expired.",
        level=Level.WARNING,
    )
    attempts.save(application)
    return True


def _why_asked(application: LoanApplication, kind: TaskKind) -> list[dict[str, str]]:
    row = REVIEW_KINDS[kind]
    if row.trigger is not Trigger.REFERRED:
        return [{"code": code.value, "text": text} for code, text in row.opening_reasons]
    assessment = RiskAssessment.objects.get(application=application, attempt=application.attempt)
    return list(assessment.reasons)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
