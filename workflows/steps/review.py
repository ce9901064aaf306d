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
from reviews.models import ReviewDecision
from reviews.selectors import COUNTED
from reviews.services import answers, tasks
from reviews.services.decline_reasons import reasons_shown
from workflows import executions, handover
from workflows.callbacks import pending
from workflows.callbacks.flags import flags_review
from workflows.callbacks.wakeups import WakeUp
from workflows.db_threads import run_in_db_thread
from workflows.executions import Closed
from workflows.funding_requirements import (
    BEFORE_FRAUD_REVIEW,
    BEFORE_OFFER,
    Requirements,
    needs_review,
)
from workflows.steps.checked import Missing, begin_checked, facts_of, latest_task

# What the record must have before people are asked, when the step between did not look.
NEEDS: dict[Trigger, Requirements] = {
    Trigger.REFERRED: frozenset(),
    Trigger.FLAGGED: BEFORE_FRAUD_REVIEW,
    Trigger.OFFERED: BEFORE_OFFER,
}


def open_review(
    attempt: attempts.Attempt,
    kind: TaskKind,
    *,
    operation: str,
    callback_id: str,
    wakeup: WakeUp | None = None,
) -> bool | Missing:
    """Ask people, and expect the answer under this callback; false when nothing is to be asked.

    ``wakeup`` is the end of the wait just before, if the step between did not look at it.
    """
    return run_in_db_thread(
        lambda: review_open(
            attempt, kind, operation=operation, callback_id=callback_id, wakeup=wakeup
        )
    )


def decline(
    attempt: attempts.Attempt, kind: TaskKind, *, operation: str, wakeup: WakeUp
) -> Closed | Missing:
    """Close an application that a person declined, if the record has that decision."""

    @transaction.atomic
    def write() -> Closed | Missing:
        begun = begin_checked(attempt, operation=operation, work=declined_by(kind), wakeup=wakeup)
        if begun.missing is not None:
            return begun.missing
        declined_on_review(attempt, kind)
        return executions.execution_finish(attempt, Status.DECLINED)

    return run_in_db_thread(write)


def expire(
    attempt: attempts.Attempt, kind: TaskKind, *, operation: str, wakeup: WakeUp | None
) -> Closed | Missing:
    """Close an application that nobody decided in time; a decision that came late is kept.

    ``wakeup`` is the sweep's answer; without one the engine stopped waiting by itself. If it did
    so before the task's time is over, the wait goes on: ``expires_at`` of the task decides.
    """

    @transaction.atomic
    def write() -> Closed | Missing:
        begun = begin_checked(
            attempt,
            operation=operation,
            work=expired_by(kind),
            wakeup=wakeup,
            ended_wait=kind if wakeup is None else None,
        )
        if begun.missing is not None:
            return begun.missing
        if wakeup is None:
            pending.task_callbacks_expire(attempt, kind)
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


def declined_by(kind: TaskKind) -> str:
    return f"declined_{kind.value}"


def expired_by(kind: TaskKind) -> str:
    return f"expired_{kind.value}"


@transaction.atomic(savepoint=False)
def review_open(
    attempt: attempts.Attempt,
    kind: TaskKind,
    *,
    operation: str = "",
    callback_id: str,
    wakeup: WakeUp | None = None,
) -> bool | Missing:
    """Open a task with its callback, or wait again for the one that is open.

    False when the review is approved by now. The first task of an attempt is opened by the
    operation ``open_<kind>``; another one when the record lost the approval, or a fraud flag came
    after it. Raises ``ApplicationClosed``, ``AnswerDiffers``, ``NotApproved``.
    """
    first = f"open_{kind.value}"
    operation = operation or first
    begun = begin_checked(
        attempt,
        operation=operation,
        work=operation,
        wakeup=wakeup,
        needs=NEEDS[REVIEW_KINDS[kind].trigger] if wakeup is not None else frozenset(),
        asks_people=True,
    )
    if begun.missing is not None:
        return begun.missing
    if begun.seen:
        return True
    application = begun.application
    if REVIEW_KINDS[kind].trigger is Trigger.OFFERED and _not_asked_again(application, kind):
        return False
    last = None if operation == first else latest_task(application, kind)
    if last is not None and last.status == TaskStatus.OPEN:
        pending.callback_move(task=last, callback_id=callback_id)
        attempts.log(
            attempt, operation, application, f"{kind.label}: still waiting for the decision."
        )
        return True
    if last is not None and not needs_review(facts_of(application), kind):
        return False
    task = tasks.task_open(
        application=application,
        kind=kind,
        number=1 if last is None else last.number + 1,
        policy=attempts.pinned_policy(application),
        reasons=_why_asked(application, kind),
        now=timezone.now(),
    )
    flags_review(application=application, task=task)
    pending.callback_open(
        attempt,
        name=kind.value if task.number == 1 else f"{kind.value}-{task.number}",
        callback_id=callback_id,
        expires_at=task.expires_at + settings.LOANOFFICE_DELIVERY_GRACE,
        review_task=task,
    )
    who = application.get_waiting_on_display().lower()
    attempts.log(attempt, operation, application, f"Waiting for {_article(who)} {who} to decide.")
    attempts.save(application)
    return True


@transaction.atomic(savepoint=False)
def declined_on_review(attempt: attempts.Attempt, kind: TaskKind) -> None:
    """Close an application that a person declined, with their reason.

    Raises ``ApplicationClosed``.
    """
    operation = declined_by(kind)
    application, seen = attempts.begin_step(attempt, operation)
    if seen:
        return
    decision = ReviewDecision.objects.filter(COUNTED).get(
        task__application=application,
        task__attempt=attempt.number,
        task__kind=kind,
        outcome=Outcome.DECLINE,
    )
    reasons = reasons_shown(kind=kind, decision=decision)
    sentences = " ".join(reason["text"] for reason in reasons)
    if not attempts.log(
        attempt, operation, application, f"Declined. {sentences}", level=Level.WARNING
    ):
        return
    attempts.close_declined(application, reasons)
    attempts.save(application)


@transaction.atomic(savepoint=False)
def expired(attempt: attempts.Attempt, kind: TaskKind) -> bool:
    """Close an application that nobody decided in time: expiry never approves.

    False when somebody did decide, but the engine had stopped waiting before it heard of
    it: then the decision is kept as late, and a person has to look. Raises ``ApplicationClosed``.
    """
    operation = expired_by(kind)
    application, seen = attempts.begin_step(attempt, operation)
    if seen:
        return True
    last = latest_task(application, kind)
    if last is None:
        raise RuntimeError(f"{attempt.name} never asked for {kind.value}")
    task = task_lock(last.pk)
    if task.status == TaskStatus.DECIDED:
        answers.decisions_undo_as_late(application=application, task=task)
        return False
    if not attempts.log(
        attempt,
        operation,
        application,
        f"{kind.label}: nobody decided in time, so the application expired.",
        level=Level.WARNING,
    ):
        return True
    now = timezone.now()
    tasks.task_expire(task=task, now=now)
    attempts.move(application, Status.EXPIRED)
    application.closed_at = now
    attempts.stop_waiting(application)
    attempts.save(application)
    return True


def _why_asked(application: LoanApplication, kind: TaskKind) -> list[dict[str, str]]:
    row = REVIEW_KINDS[kind]
    if row.trigger is not Trigger.REFERRED:
        return [{"code": code.value, "text": text} for code, text in row.opening_reasons]
    assessments = RiskAssessment.objects.filter(attempt=application.attempt)
    return list(assessments.values_list("reasons", flat=True).get(application=application))


def _not_asked_again(application: LoanApplication, kind: TaskKind) -> bool:
    """True in a later attempt whose offer was accepted before, or needs no yes."""
    return application.attempt > 1 and not needs_review(facts_of(application), kind)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
