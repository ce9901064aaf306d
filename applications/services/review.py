"""Who may decide what people are asked, and what each of them answers.

A person decides in their own right, or in that of somebody who handed their tasks to them
(``delegation``). One right gives one approval, whoever uses it.
"""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from applications.errors import (
    AboveCeiling,
    AlreadyDecided,
    ApplicationsError,
    DecisionExpired,
    FourEyesViolation,
    NothingToDecide,
    NotPermitted,
    ReasonRequired,
    StaleVersion,
)
from applications.locking import application_lock, task_lock
from applications.models import LoanApplication, ReviewDecision, ReviewTask
from applications.services.delegation import delegators
from applications.services.events import event_record
from applications.services.gate import move, save, stop_waiting
from applications.services.tasks import STEPS
from applications.signals import decision_came_late, task_decided
from applications.transitions import is_terminal
from applications.vocabulary import (
    Level,
    Outcome,
    Status,
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
# The applicant decides an offer, so who typed it in does not matter there.
FOUR_EYES = frozenset({TaskKind.MANAGER_APPROVAL, TaskKind.FRAUD_REVIEW})
TOUCHED = (
    ("created_by", "created"),
    ("submitted_by", "submitted"),
    ("last_edited_by", "last edited"),
)


def decision_check(
    *, application: LoanApplication, task: ReviewTask, user: User, now: datetime
) -> User | None:
    """Raise the reason why ``user`` may not decide ``task`` now.

    Returns in whose right they may: ``None`` is their own, else who delegated to them. The
    pages ask this to show or hide buttons, ``task_decide`` to be sure.
    """
    right = _authority(application, task, user, now)
    _check_still_open(application, task, now)
    return right


def _check_still_open(application: LoanApplication, task: ReviewTask, now: datetime) -> None:
    if task.status == TaskStatus.EXPIRED or now >= task.expires_at:
        raise DecisionExpired(reference=application.reference, at=task.expires_at)


def _authority(
    application: LoanApplication, task: ReviewTask, user: User, now: datetime
) -> User | None:
    """Everything but the time: who may decide this task if it is not too late for it."""
    kind = TaskKind(task.kind)
    permission = PERMISSIONS[kind]
    own = user.has_perm(permission)
    lent = [] if own else _lenders(user, permission, now)
    if not own and not lent:
        raise NotPermitted(f"You may not decide a {kind.label.lower()}.")
    if task.status == TaskStatus.DECIDED:
        raise _already_decided(application, task)
    # A task that expired with its case can still be answered: too late, and kept as such.
    over = is_terminal(application.status) and application.status != Status.EXPIRED
    can_be_answered = task.status == TaskStatus.OPEN or (
        task.status == TaskStatus.EXPIRED and not over
    )
    if not can_be_answered or task.attempt != application.attempt:
        raise NothingToDecide(reference=application.reference, status=application.status)
    _check_four_eyes(application, kind, user, "You")
    given = list(
        task.decisions.filter(late=False).select_related("decided_by").order_by("decided_at")
    )
    if mine := next((decision for decision in given if decision.decided_by_id == user.pk), None):
        raise AlreadyDecided(
            reference=application.reference,
            outcome="approved, waiting for a second person",
            decided_by="you",
            at=mine.decided_at,
        )
    if own:
        try:
            _check_right(application, task, user, given)
        except ApplicationsError:
            lent = _lenders(user, permission, now)
            if not lent:
                raise
        else:
            return None
    return _first_that_may(application, task, lent, given)


def _lenders(user: User, permission: str, now: datetime) -> list[User]:
    return [lender for lender in delegators(user=user, now=now) if lender.has_perm(permission)]


def _first_that_may(
    application: LoanApplication, task: ReviewTask, lent: list[User], given: list[ReviewDecision]
) -> User:
    """The first of those who delegated that might decide; raises why the first might not."""
    refusals: list[ApplicationsError] = []
    for lender in lent:
        try:
            _check_four_eyes(application, TaskKind(task.kind), lender, lender.get_username())
            _check_right(application, task, lender, given)
        except ApplicationsError as refused:
            refusals.append(refused)
        else:
            return lender
    raise refusals[0]


def _check_four_eyes(application: LoanApplication, kind: TaskKind, user: User, who: str) -> None:
    if kind not in FOUR_EYES:
        return
    for field, did in TOUCHED:
        if getattr(application, f"{field}_id") == user.pk:
            raise FourEyesViolation(reference=application.reference, did=did, who=who)


def _check_right(
    application: LoanApplication, task: ReviewTask, right: User, given: list[ReviewDecision]
) -> None:
    """One approval a right, and what it reaches up to."""
    for decision in given:
        if right.pk in {decision.decided_by_id, decision.on_behalf_of_id}:
            by = decision.decided_by
            raise AlreadyDecided(
                reference=application.reference,
                outcome="approved in the same right, waiting for another",
                decided_by=by.get_username() if by else "",
                at=decision.decided_at,
            )
    if (
        task.kind == TaskKind.MANAGER_APPROVAL
        and (task.assigned_role == WaitingOn.SENIOR_MANAGER or given)
        and not right.has_perm(ABOVE_CEILING)
    ):
        ceiling = application.policy.manager_ceiling if application.policy else 0
        raise AboveCeiling(
            reference=application.reference, ceiling=f"{ceiling:,.2f} {application.currency}"
        )


def may_decide_some(*, user: User, kinds: Iterable[TaskKind]) -> bool:
    """Whether ``user`` has, or was lent, the right to decide any task of these kinds."""
    permissions = [PERMISSIONS[kind] for kind in kinds]
    if any(user.has_perm(permission) for permission in permissions):
        return True
    lenders = delegators(user=user, now=timezone.now())
    return any(lender.has_perm(permission) for lender in lenders for permission in permissions)


def tasks_decidable(*, user: User, now: datetime) -> QuerySet[ReviewTask]:
    """The open tasks that ``decision_check`` would let ``user`` decide now."""
    mine = ReviewDecision.objects.filter(task=OuterRef("pk"), decided_by=user, late=False)
    in_some_right = _within_right(user)
    for lender in delegators(user=user, now=now):
        in_some_right |= _within_right(lender) & ~(Q(kind__in=FOUR_EYES) & _touched_by(lender))
    return (
        ReviewTask.objects.filter(status=TaskStatus.OPEN, expires_at__gt=now)
        .filter(attempt=F("application__attempt"))
        .exclude(Q(kind__in=FOUR_EYES) & _touched_by(user))
        .exclude(Exists(mine))
        .filter(in_some_right)
    )


def count_waiting_on(*, user: User, now: datetime, most: int = 100) -> int:
    """How many tasks ``user`` may decide now, counted up to ``most``: cheap enough for a badge.

    One that answers ``most`` may stand for more.
    """
    return tasks_decidable(user=user, now=now).order_by()[:most].count()


def _within_right(right: User) -> Q:
    """What one person's right reaches, whoever uses it."""
    kinds = [kind for kind, permission in PERMISSIONS.items() if right.has_perm(permission)]
    given = ReviewDecision.objects.filter(task=OuterRef("pk"), late=False)
    used = Exists(given.filter(Q(decided_by=right) | Q(on_behalf_of=right)))
    reached = Q(kind__in=kinds) & ~Q(used)
    if right.has_perm(ABOVE_CEILING):
        return reached
    needs_senior = Q(assigned_role=WaitingOn.SENIOR_MANAGER) | Q(Exists(given))
    return reached & ~(Q(kind=TaskKind.MANAGER_APPROVAL) & needs_senior)


def _touched_by(user: User) -> Q:
    touched = Q()
    for field, _ in TOUCHED:
        touched |= Q(**{f"application__{field}__isnull": False, f"application__{field}": user})
    return touched


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
    ``NothingToDecide``, ``StaleVersion``, ``ReasonRequired``; then nothing is written.
    Raises ``DecisionExpired`` when the time is over; then the answer is kept as late and
    counts for nothing.
    """
    if outcome not in {Outcome.APPROVE, Outcome.DECLINE}:
        raise ValueError("a person approves or declines")
    with transaction.atomic():
        application = application_lock(task.application.reference)
        task = task_lock(task.pk)
        now = timezone.now()  # under the lock: decisions stand in the order in which they counted
        right = _authority(application, task, user, now)
        try:
            _check_still_open(application, task, now)
        except DecisionExpired as refused:
            too_late: DecisionExpired | None = refused
        else:
            too_late = None
            if version is not None and version != application.version:
                raise StaleVersion(
                    reference=application.reference, read=version, current=application.version
                )
        reason = reason.strip()
        if outcome == Outcome.DECLINE and not reason:
            raise ReasonRequired(reference=application.reference)
        decision = ReviewDecision(
            task=task,
            decided_by=user,
            on_behalf_of=right,
            outcome=outcome,
            reason=reason,
            application_version=application.version if version is None else version,
            decided_at=now,
            late=too_late is not None,
        )
        if too_late is None:
            decision.save(force_insert=True)
            _count(application, task, decision)
        elif not task.decisions.filter(decided_by=user).exists():
            decision.save(force_insert=True)
            _keep_late(application, task, decision)
    if too_late is not None:
        raise too_late  # after the commit: what came late is kept
    return decision


def _count(application: LoanApplication, task: ReviewTask, decision: ReviewDecision) -> None:
    kind = TaskKind(task.kind)
    approvals = task.decisions.filter(outcome=Outcome.APPROVE, late=False).count()
    settled = decision.outcome == Outcome.DECLINE or approvals >= task.approvals_required
    _record_decision(application, kind, decision, left=task.approvals_required - approvals)
    if settled:
        task.status = TaskStatus.DECIDED
        task.outcome = decision.outcome
        task.closed_at = decision.decided_at
        task.save(update_fields=["status", "outcome", "closed_at"])
        stop_waiting(application)
        if kind == TaskKind.MANAGER_APPROVAL:
            move(application, Status.IN_REVIEW)
        save(application)
        task_decided.send(ReviewTask, task=task, decision=decision)


def _keep_late(application: LoanApplication, task: ReviewTask, decision: ReviewDecision) -> None:
    said = "an approval" if decision.outcome == Outcome.APPROVE else "a decline"
    event_record(
        application=application,
        kind="late_decision",
        message=f"{task.get_kind_display()}: {said} came too late and was not applied.",
        step=STEPS[TaskKind(task.kind)],
        level=Level.WARNING,
        is_internal=True,
        actor=decision.decided_by,
        data=_facts(decision),
    )
    decision_came_late.send(ReviewTask, task=task, decisions=[decision])


def decisions_undo_as_late(*, application: LoanApplication, task: ReviewTask) -> None:
    """The engine stopped waiting before a settled answer reached it: it counts for nothing.

    Application and task must be locked. The task shows as expired, its decisions as late.
    """
    decisions = list(task.decisions.filter(late=False).select_related("decided_by"))
    task.decisions.filter(late=False).update(late=True)
    task.status = TaskStatus.EXPIRED
    task.outcome = ""
    task.save(update_fields=["status", "outcome"])
    event_record(
        application=application,
        kind="late_decision",
        message=f"{task.get_kind_display()}: the decision did not reach the workflow in time "
        "and was not applied.",
        step=STEPS[TaskKind(task.kind)],
        level=Level.WARNING,
        is_internal=True,
        data={"task": task.pk},
    )
    decision_came_late.send(ReviewTask, task=task, decisions=decisions)


def _already_decided(application: LoanApplication, task: ReviewTask) -> AlreadyDecided:
    last = task.decisions.filter(late=False).select_related("decided_by", "partner").last()
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
        data=_facts(decision),
    )


def _facts(decision: ReviewDecision) -> dict[str, object]:
    """What the audit line of a decision holds."""
    right = decision.on_behalf_of
    return {
        "reason": decision.reason,
        "version": decision.application_version,
        "task": decision.task_id,
        **({"on_behalf_of": right.get_username()} if right is not None else {}),
    }
