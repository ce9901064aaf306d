"""What people are asked: opening a task, reminding of it, closing it without an answer.

What they answer is in ``decisions``. Application and task are locked by the caller.
"""

from datetime import datetime

from django.utils import timezone

from applications.choices import Level, Status, Step, WaitingOn
from applications.models import LoanApplication
from applications.services.attempts import move
from applications.services.timeline import event_record
from lending.models import LendingPolicy
from reviews.choices import TaskKind, TaskStatus
from reviews.models import ReviewTask
from reviews.signals import task_opened

STEPS = {
    TaskKind.MANAGER_APPROVAL: Step.MANAGER_APPROVAL,
    TaskKind.FRAUD_REVIEW: Step.FRAUD_CHECK,
    TaskKind.OFFER_ACCEPTANCE: Step.OFFER_ACCEPTANCE,
}


def task_open(
    *,
    application: LoanApplication,
    kind: TaskKind,
    policy: LendingPolicy,
    reasons: list[dict[str, str]],
    now: datetime,
) -> ReviewTask:
    """Ask a person. The application must be locked, and the caller saves it.

    Moves its ``status``, ``current_step`` and ``waiting_*`` in memory.
    """
    expires_at = now + (
        policy.offer_life if kind == TaskKind.OFFER_ACCEPTANCE else policy.approval_expires
    )
    task = ReviewTask.objects.create(
        application=application,
        attempt=application.attempt,
        kind=kind,
        assigned_role=_assigned_role(application, kind, policy),
        approvals_required=_approvals_required(application, kind, policy),
        reasons=reasons,
        opened_at=now,
        due_at=min(now + policy.approval_due, expires_at),
        expires_at=expires_at,
    )
    if kind == TaskKind.MANAGER_APPROVAL:
        move(application, Status.PENDING_APPROVAL)
    application.current_step = STEPS[kind]
    application.waiting_on = task.assigned_role
    application.waiting_since = now
    application.waiting_until = expires_at
    task_opened.send(ReviewTask, task=task)
    return task


def task_remind(*, application: LoanApplication, task: ReviewTask, now: datetime) -> None:
    """Note that the deciders are reminded of a task that is due."""
    task.reminded_at = now
    task.save(update_fields=["reminded_at"])
    event_record(
        application=application,
        kind="reminded",
        message=f"{task.get_kind_display()}: due, and not decided yet.",
        step=STEPS[TaskKind(task.kind)],
        level=Level.WARNING,
        is_internal=True,
        data={"task": task.pk},
    )


def task_escalate(*, application: LoanApplication, task: ReviewTask, now: datetime) -> None:
    """Note that senior managers are told: half of the time to decide is over."""
    task.escalated_at = now
    task.save(update_fields=["escalated_at"])
    event_record(
        application=application,
        kind="escalated",
        message=f"{task.get_kind_display()}: escalated to the senior managers.",
        step=STEPS[TaskKind(task.kind)],
        level=Level.WARNING,
        is_internal=True,
        data={"task": task.pk},
    )


def task_expire(*, task: ReviewTask, now: datetime) -> None:
    """Close a task that nobody answered in time."""
    if task.status == TaskStatus.OPEN:
        task.status = TaskStatus.EXPIRED
        task.closed_at = now
        task.save(update_fields=["status", "closed_at"])


def tasks_cancel(*, application: LoanApplication) -> int:
    """Close what is still asked about a locked application; returns how many."""
    return ReviewTask.objects.filter(application=application, status=TaskStatus.OPEN).update(
        status=TaskStatus.CANCELLED, closed_at=timezone.now()
    )


def _assigned_role(
    application: LoanApplication, kind: TaskKind, policy: LendingPolicy
) -> WaitingOn:
    if kind == TaskKind.FRAUD_REVIEW:
        return WaitingOn.RISK_ANALYST
    if kind == TaskKind.OFFER_ACCEPTANCE:
        return WaitingOn.APPLICANT
    above = application.loan_amount > policy.manager_ceiling
    return WaitingOn.SENIOR_MANAGER if above else WaitingOn.MANAGER


def _approvals_required(application: LoanApplication, kind: TaskKind, policy: LendingPolicy) -> int:
    two = application.loan_amount >= policy.second_approval_threshold
    return 2 if kind == TaskKind.MANAGER_APPROVAL and two else 1
