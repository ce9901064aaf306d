"""Void approvals that count no more: the application was edited, or who gave one is not active.

A voided approval stays on record and is shown as such; its task is asked again. The caller holds
the lock of the application, except for ``approvals_void_of``, which takes it.
"""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from applications.choices import Level, Status
from applications.locking import application_lock
from applications.models import Disbursement, LoanApplication
from applications.services.timeline import event_record
from applications.transitions import is_terminal
from lending.choices import Outcome
from partners.models import Partner
from reviews.choices import TaskKind, TaskStatus
from reviews.kinds import FOUR_EYES_KINDS, REVIEW_KINDS
from reviews.locking import task_lock
from reviews.models import ReviewDecision, ReviewTask
from reviews.selectors import COUNTED, why_not_counting
from reviews.services.deciders import look_again_at
from reviews.signals import approvals_voided, task_asked_again


def approvals_void_after_edit(
    *,
    application: LoanApplication,
    changed: str,
    user: User | None = None,
    partner: Partner | None = None,
) -> None:
    """Void what was approved in the current attempt, because the application was edited.

    An open task asks again. A task that is decided has let the workflow go on, so the
    application begins a new attempt, which asks again; one that needs attention waits for
    Operations to restart it. Nothing is voided once a payout was requested.
    """
    if application.attempt == 0 or is_terminal(application.status):
        return
    tasks = _approved_tasks(application)
    if not tasks or _is_paid_out(application):
        return
    now = timezone.now()
    for task in tasks:
        approvals = _standing(task)
        why = f"The application was changed after it: {changed}."
        _void(application, task, approvals, why, now, user=user, partner=partner)
    begun = [task for task in tasks if task.status == TaskStatus.DECIDED]
    for task in begun:
        task.status, task.outcome = TaskStatus.CANCELLED, ""
        task.save(update_fields=["status", "outcome"])
    if begun and application.status != Status.NEEDS_ATTENTION:
        approvals_voided.send(
            ReviewTask, application=application, changed=changed, user=user, partner=partner
        )


def approvals_void_stale(*, application: LoanApplication, task: ReviewTask, now: datetime) -> None:
    """Void the approvals of a locked, open task that do not count, before one is added."""
    for approval in _standing(task):
        why = why_not_counting(approval, application)
        if why:
            _void(application, task, [approval], why, now)


@transaction.atomic
def approvals_void_of(*, person: User) -> None:
    """Void the approvals of open tasks that a person gave, or by whose authority they were given.

    For somebody who was deactivated. What was decided stays decided.
    """
    theirs = ReviewDecision.objects.filter(
        COUNTED,
        Q(decided_by=person) | Q(on_behalf_of=person),
        task__status=TaskStatus.OPEN,
        outcome=Outcome.APPROVE,
    )
    rows = theirs.order_by("task__application").values_list("task__application__reference", "task")
    for reference, pk in rows:
        application, task = application_lock(reference), task_lock(pk)
        if task.status == TaskStatus.OPEN:
            approvals_void_stale(application=application, task=task, now=timezone.now())


def _approved_tasks(application: LoanApplication) -> list[ReviewTask]:
    """Return the tasks of this attempt that have approvals by people, locked."""
    tasks = ReviewTask.objects.filter(
        Q(status=TaskStatus.OPEN) | Q(status=TaskStatus.DECIDED, outcome=Outcome.APPROVE),
        application=application,
        attempt=application.attempt,
        kind__in=FOUR_EYES_KINDS,
        decisions__in=_approvals(),
    )
    return [task_lock(pk) for pk in sorted(set(tasks.values_list("pk", flat=True)))]


def _approvals() -> QuerySet[ReviewDecision]:
    return ReviewDecision.objects.filter(COUNTED, outcome=Outcome.APPROVE)


def _standing(task: ReviewTask) -> list[ReviewDecision]:
    rows = _approvals().filter(task=task).select_related("decided_by", "on_behalf_of")
    return list(rows.order_by("pk"))


def _is_paid_out(application: LoanApplication) -> bool:
    """True if money may have left; the payout was asked for by approvals that counted."""
    ledger = Disbursement.objects.filter(application=application)
    return ledger.exclude(status__in=Disbursement.NOTHING_LEFT).exists()


def _void(
    application: LoanApplication,
    task: ReviewTask,
    approvals: list[ReviewDecision],
    why: str,
    now: datetime,
    *,
    user: User | None = None,
    partner: Partner | None = None,
) -> None:
    for approval in approvals:
        approval.voided_at, approval.voided_because = now, why
        approval.save(update_fields=["voided_at", "voided_because"])
    kind = TaskKind(task.kind)
    many = "an approval counts" if len(approvals) == 1 else f"{len(approvals)} approvals count"
    event_record(
        application=application,
        kind="approvals_voided",
        message=f"{kind.label}: {many} no more, so that it is asked again. {why}",
        step=REVIEW_KINDS[kind].step,
        level=Level.WARNING,
        is_internal=True,
        actor=user,
        partner=partner,
        data={"task": task.pk, "decisions": [approval.pk for approval in approvals]},
    )
    if task.status == TaskStatus.OPEN:
        look_again_at(application=application, task=task, now=now)
        task_asked_again.send(ReviewTask, task=task, decision=approvals[-1])
