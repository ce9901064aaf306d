"""What people are asked and what they answer: open, decide, expire, cancel."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from applications.errors import (
    AboveCeiling,
    AlreadyDecided,
    DecisionExpired,
    FourEyesViolation,
    NothingToDecide,
    NotPermitted,
    ReasonRequired,
    StaleVersion,
)
from applications.locking import application_lock, task_lock
from applications.models import LendingPolicy, LoanApplication, ReviewDecision, ReviewTask
from applications.services.events import event_record
from applications.services.gate import move, save, stop_waiting
from applications.signals import task_decided, task_opened
from applications.vocabulary import (
    Level,
    Outcome,
    Status,
    Step,
    TaskKind,
    TaskStatus,
    WaitingOn,
)

PERMISSIONS = {
    TaskKind.MANAGER_APPROVAL: "applications.decide_manager_approval",
    TaskKind.FRAUD_REVIEW: "applications.decide_fraud_review",
    TaskKind.OFFER_ACCEPTANCE: "applications.record_offer_acceptance",
}
ABOVE_CEILING = "applications.decide_above_ceiling"
STEPS = {
    TaskKind.MANAGER_APPROVAL: Step.MANAGER_APPROVAL,
    TaskKind.FRAUD_REVIEW: Step.FRAUD_CHECK,
    TaskKind.OFFER_ACCEPTANCE: Step.OFFER_ACCEPTANCE,
}
# The applicant decides an offer, so who typed it in does not matter there.
FOUR_EYES = frozenset({TaskKind.MANAGER_APPROVAL, TaskKind.FRAUD_REVIEW})


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


def decision_check(
    *, application: LoanApplication, task: ReviewTask, user: User, now: datetime
) -> None:
    """Raise the reason why ``user`` may not decide ``task`` now; return if they may.

    The pages ask this to show or hide buttons, ``task_decide`` to be sure.
    """
    kind = TaskKind(task.kind)
    if not user.has_perm(PERMISSIONS[kind]):
        raise NotPermitted(f"You may not decide a {kind.label.lower()}.")
    if task.status == TaskStatus.DECIDED:
        raise _already_decided(application, task)
    if task.status != TaskStatus.OPEN or task.attempt != application.attempt:
        raise NothingToDecide(reference=application.reference, status=application.status)
    if now >= task.expires_at:
        raise DecisionExpired(reference=application.reference, at=task.expires_at)
    if kind in FOUR_EYES:
        for field, did in (
            ("created_by_id", "created"),
            ("submitted_by_id", "submitted"),
            ("last_edited_by_id", "last edited"),
        ):
            if getattr(application, field) == user.pk:
                raise FourEyesViolation(reference=application.reference, did=did)
    given = list(task.decisions.select_related("decided_by"))
    if any(decision.decided_by_id == user.pk for decision in given):
        raise AlreadyDecided(
            reference=application.reference,
            outcome="approved, waiting for a second person",
            decided_by="you",
            at=given[0].decided_at,
        )
    if (
        kind == TaskKind.MANAGER_APPROVAL
        and (task.assigned_role == WaitingOn.SENIOR_MANAGER or given)
        and not user.has_perm(ABOVE_CEILING)
    ):
        ceiling = application.policy.manager_ceiling if application.policy else 0
        raise AboveCeiling(
            reference=application.reference, ceiling=f"{ceiling:,.2f} {application.currency}"
        )


def tasks_decidable(*, user: User, now: datetime) -> QuerySet[ReviewTask]:
    """The open tasks that ``decision_check`` would let ``user`` decide now."""
    kinds = [kind for kind, permission in PERMISSIONS.items() if user.has_perm(permission)]
    touched = (
        Q(application__created_by=user)
        | Q(application__submitted_by=user)
        | Q(application__last_edited_by=user)
    )
    tasks = (
        ReviewTask.objects.filter(status=TaskStatus.OPEN, kind__in=kinds, expires_at__gt=now)
        .filter(attempt=F("application__attempt"))
        .exclude(Q(kind__in=FOUR_EYES) & touched)
        .exclude(Exists(ReviewDecision.objects.filter(task=OuterRef("pk"), decided_by=user)))
    )
    if user.has_perm(ABOVE_CEILING):
        return tasks
    needs_senior = Q(assigned_role=WaitingOn.SENIOR_MANAGER) | Exists(
        ReviewDecision.objects.filter(task=OuterRef("pk"))
    )
    return tasks.exclude(Q(kind=TaskKind.MANAGER_APPROVAL) & needs_senior)


@transaction.atomic
def task_decide(
    *,
    task: ReviewTask,
    user: User,
    outcome: Outcome,
    reason: str = "",
    version: int | None = None,
) -> ReviewDecision:
    """Record one person's answer; when it settles the task, the case goes on.

    ``version`` is the application's version that the decider read. Raises
    ``NotPermitted``, ``FourEyesViolation``, ``AboveCeiling``, ``AlreadyDecided``,
    ``NothingToDecide``, ``DecisionExpired``, ``StaleVersion``, ``ReasonRequired``; then
    nothing is written.
    """
    if outcome not in {Outcome.APPROVE, Outcome.DECLINE}:
        raise ValueError("a person approves or declines")
    now = timezone.now()
    application = application_lock(task.application.reference)
    task = task_lock(task.pk)
    decision_check(application=application, task=task, user=user, now=now)
    if version is not None and version != application.version:
        raise StaleVersion(
            reference=application.reference, read=version, current=application.version
        )
    reason = reason.strip()
    if outcome == Outcome.DECLINE and not reason:
        raise ReasonRequired(reference=application.reference)

    decision = ReviewDecision.objects.create(
        task=task,
        decided_by=user,
        outcome=outcome,
        reason=reason,
        application_version=application.version,
        decided_at=now,
    )
    kind = TaskKind(task.kind)
    approvals = task.decisions.filter(outcome=Outcome.APPROVE).count()
    settled = outcome == Outcome.DECLINE or approvals >= task.approvals_required
    _record_decision(application, kind, decision, left=task.approvals_required - approvals)
    if settled:
        task.status = TaskStatus.DECIDED
        task.outcome = outcome
        task.closed_at = now
        task.save(update_fields=["status", "outcome", "closed_at"])
        stop_waiting(application)
        if kind == TaskKind.MANAGER_APPROVAL:
            move(application, Status.IN_REVIEW)
        save(application)
        task_decided.send(ReviewTask, task=task, decision=decision)
    return decision


def task_expire(*, task: ReviewTask, now: datetime) -> None:
    """Close a task that nobody answered in time. Application and task must be locked."""
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


def _already_decided(application: LoanApplication, task: ReviewTask) -> AlreadyDecided:
    last = task.decisions.select_related("decided_by", "partner").last()
    if last is None:
        raise RuntimeError(f"task {task.pk} is decided but has no decision")
    decider = last.decided_by.get_username() if last.decided_by else str(last.partner)
    return AlreadyDecided(
        reference=application.reference,
        outcome=last.get_outcome_display().lower(),
        decided_by=decider,
        at=last.decided_at,
    )


def _record_decision(
    application: LoanApplication, kind: TaskKind, decision: ReviewDecision, *, left: int
) -> None:
    approved = decision.outcome == Outcome.APPROVE
    said = "approved" if approved else "declined"
    message = f"{kind.label}: {said}."
    if approved and left > 0:
        message += f" {left} more approval needed."
    event_record(
        application=application,
        kind=f"{kind.value}_{said}",
        message=message,
        step=STEPS[kind],
        level=Level.SUCCESS if approved else Level.WARNING,
        actor=decision.decided_by,
        data={
            "reason": decision.reason,
            "version": decision.application_version,
            "task": decision.task_id,
        },
    )
