"""Open review tasks, record reminders and escalations, and close tasks without a decision.

Decisions are recorded in ``decisions``. The caller locks the application and the task.
"""

from datetime import datetime

from django.utils import timezone

from accounts.roles import Role
from applications.choices import Level, Status
from applications.models import LoanApplication, LoanOffer
from applications.services.attempts import move
from applications.services.timeline import event_record
from lending.models import LendingPolicy
from lending.services import approver_of, policy_ceilings
from reviews.choices import TaskKind, TaskStatus
from reviews.kinds import REVIEW_KINDS, ReviewKind
from reviews.models import ReviewTask
from reviews.services import deciders
from reviews.services.authority import Facts
from reviews.services.open_requests import requests_cancel, requests_cancel_of
from reviews.signals import task_opened


def task_open(
    *,
    application: LoanApplication,
    kind: TaskKind,
    policy: LendingPolicy,
    reasons: list[dict[str, str]],
    now: datetime,
    number: int = 1,
) -> ReviewTask:
    """Open a review task. The application must be locked, and the caller saves it.

    ``number`` counts the tasks of this kind in the attempt. Sets the application's ``status``,
    ``current_step`` and ``waiting_*`` in memory; one that has an offer stays ``approved``.
    """
    row = REVIEW_KINDS[kind]
    expires_at = _deadline(application, row) or now + getattr(policy, row.wait)
    task = ReviewTask.objects.create(
        application=application,
        attempt=application.attempt,
        kind=kind,
        number=number,
        assigned_role=_assigned_role(application, row, policy),
        approvals_required=_approvals_required(application, row, policy),
        reasons=reasons,
        opened_at=now,
        due_at=min(now + getattr(policy, row.due), expires_at),
        expires_at=expires_at,
    )
    if application.status not in {row.status, Status.APPROVED}:
        move(application, row.status)
    application.current_step = row.step
    application.waiting_on = task.assigned_role
    application.waiting_since = now
    application.waiting_until = expires_at
    task_opened.send(ReviewTask, task=task)
    nobody_approved = Facts(application, task, given=[])
    deciders.look_again_at(application=application, task=task, now=now, facts=nobody_approved)
    return task


def task_remind(*, application: LoanApplication, task: ReviewTask, now: datetime) -> None:
    """Record that the deciders are reminded of a task that is due."""
    task.reminded_at = now
    task.save(update_fields=["reminded_at"])
    _record(application, task, "reminded", "due, and not decided yet")


def task_escalate(*, application: LoanApplication, task: ReviewTask, now: datetime) -> None:
    """Record the escalation of a task after half of the time to decide."""
    task.escalated_at = now
    task.save(update_fields=["escalated_at"])
    asked = deciders.people_to_ask(application=application, task=task, now=now)
    above = deciders.people_above(asked, task=task)
    row = REVIEW_KINDS[TaskKind(task.kind)]
    roles = {each.role for each in above} if row.has_ceiling else {task.assigned_role}
    names = " and ".join(f"{role.lower()}s" for role in Role if role.key in roles)
    _record(
        application,
        task,
        "escalated",
        f"escalated to the {names}" if above else "half of the time is over; nobody can decide it",
    )


def _record(application: LoanApplication, task: ReviewTask, kind: str, what: str) -> None:
    event_record(
        application=application,
        kind=kind,
        message=f"{task.get_kind_display()}: {what}.",
        step=REVIEW_KINDS[TaskKind(task.kind)].step,
        level=Level.WARNING,
        is_internal=True,
        data={"task": task.pk},
    )


def task_expire(*, task: ReviewTask, now: datetime) -> None:
    """Close a task that nobody decided in time."""
    if task.status == TaskStatus.OPEN:
        task.status = TaskStatus.EXPIRED
        task.closed_at = now
        requests_cancel_of(tasks=[task], now=now)
        task.sent_back_at = None
        task.save(update_fields=["status", "closed_at", "sent_back_at"])


def tasks_cancel(*, application: LoanApplication) -> int:
    """Cancel the open tasks of a locked application; returns how many."""
    now = timezone.now()
    still_open = ReviewTask.objects.filter(application=application, status=TaskStatus.OPEN)
    cancelled = still_open.update(status=TaskStatus.CANCELLED, closed_at=now, sent_back_at=None)
    if cancelled:
        requests_cancel(now=now, task__application=application)
    return cancelled


def _deadline(application: LoanApplication, row: ReviewKind) -> datetime | None:
    """Return the deadline of the offer that the task is about: it was promised, so it counts."""
    if not row.answers_offer:
        return None
    offers = LoanOffer.objects.filter(application=application, attempt=application.attempt)
    return offers.values_list("expires_at", flat=True).first()


def _assigned_role(application: LoanApplication, row: ReviewKind, policy: LendingPolicy) -> str:
    if row.has_ceiling:
        return approver_of(policy_ceilings(policy), application.loan_amount).key
    return row.assignees[0].role


def _approvals_required(
    application: LoanApplication, row: ReviewKind, policy: LendingPolicy
) -> int:
    threshold = row.two_approvals_from
    return 2 if threshold and application.loan_amount >= getattr(policy, threshold) else 1
