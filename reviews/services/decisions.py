"""Record decisions on review tasks, and select the tasks that a person may decide.

The checks of one person and one task are in ``authority``; an applicant's answer to an offer,
sent by a partner, is in ``offer_answers``.
"""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from applications.choices import Level, Status
from applications.contributions import contributed
from applications.errors import StaleVersion
from applications.locking import application_lock
from applications.models import LoanApplication, LoanOffer
from applications.services.attempts import move, save, stop_waiting
from applications.services.timeline import event_record, text_for_everybody
from lending.choices import Outcome
from reviews.choices import TaskKind, TaskStatus
from reviews.errors import DecisionExpired, UnknownReason
from reviews.kinds import CEILING_KINDS, FOUR_EYES_KINDS, REVIEW_KINDS
from reviews.locking import task_lock
from reviews.models import ReviewDecision, ReviewTask
from reviews.selectors import COUNTED, approvals_counting
from reviews.services.approvals import approvals_void_stale
from reviews.services.authority import (
    CLAIM_LASTS,
    approval_authority,
    approvals_given,
    authority,
    check_not_claimed,
    check_still_open,
    person_or_refuse,
)
from reviews.services.deciders import look_again_at
from reviews.services.decline_reasons import Reason, reason_read
from reviews.services.delegation import Right, delegated_rights, own_right
from reviews.signals import decision_came_late, task_decided, task_needs_another


def decision_check(
    *, application: LoanApplication, task: ReviewTask, user: User, now: datetime
) -> User | None:
    """Raise the reason why ``user`` may not decide ``task`` now.

    Returns ``None`` for their own authority, else the delegator whose authority they use. Pages
    call it to show or hide buttons; ``task_decide`` makes the same checks under its locks.
    """
    right = authority(application, task, user, now)
    check_still_open(application, task, now)
    check_not_claimed(application, task, user, now)
    return right


def may_decide_some(*, user: User, kinds: Iterable[TaskKind]) -> bool:
    """True if ``user``, or somebody who delegated to them, may decide tasks of these kinds."""
    permissions = [REVIEW_KINDS[kind].permission for kind in kinds]
    if any(user.has_perm(permission) for permission in permissions):
        return True
    lent = delegated_rights(user=user, now=timezone.now())
    return any(right.may(permission) for right in lent for permission in permissions)


def tasks_decidable(*, user: User, now: datetime) -> QuerySet[ReviewTask]:
    """Return the open tasks that ``decision_check`` lets ``user`` decide now."""
    claimed = Q(claimed_by__isnull=False, claimed_at__gt=now - CLAIM_LASTS)
    return tasks_waiting_on(user=user, now=now).exclude(claimed & ~Q(claimed_by=user))


def tasks_waiting_on(
    *, user: User, now: datetime, among: QuerySet[ReviewTask] | None = None
) -> QuerySet[ReviewTask]:
    """Return the open tasks that ``user`` may decide now, including those claimed by others.

    Of all tasks, or of those of ``among``.
    """
    given = approvals_counting(OuterRef("application__version"), task=OuterRef("pk"))
    in_some_right = _within_right(own_right(user), given)
    lent = delegated_rights(user=user, now=now)
    for right in lent:
        in_some_right |= _within_right(right, given) & ~_worked_on_by(right.person)
    if lent:  # their own right excludes the approvals that they gave themselves
        in_some_right &= ~Q(Exists(given.filter(decided_by=user)))
    rows = ReviewTask.objects.all() if among is None else among
    return rows.filter(
        ~_worked_on_by(user),
        in_some_right,
        status=TaskStatus.OPEN,
        expires_at__gt=now,
        attempt=F("application__attempt"),
    )


def count_waiting_on(*, user: User, now: datetime, most: int = 100) -> int:
    """Count the tasks that ``user`` may decide now, up to ``most``: cheap enough for a badge.

    A count of ``most`` means that many or more.
    """
    return tasks_decidable(user=user, now=now).order_by()[:most].count()


def _within_right(right: Right, given: QuerySet[ReviewDecision]) -> Q:
    """Return a filter of the tasks that one person's authority covers, whoever uses it.

    ``given`` are the approvals of a task that count.
    """
    kinds = [kind for kind, row in REVIEW_KINDS.items() if right.may(row.permission)]
    used = Exists(given.filter(Q(decided_by=right.person) | Q(on_behalf_of=right.person)))
    reached = Q(kind__in=kinds) & ~Q(used)
    held = approval_authority(right)
    if held.is_highest:
        return reached
    return reached & ~(Q(kind__in=CEILING_KINDS) & held.excluded(Exists(given)))


def _worked_on_by(user: User) -> Q:
    """Return a filter of the tasks that four eyes keep a person from."""
    return Q(kind__in=FOUR_EYES_KINDS) & contributed(people=[user.pk])


def task_decide(
    *,
    task: ReviewTask,
    user: User,
    outcome: Outcome,
    reason: str = "",
    reason_code: str = "",
    version: int | None = None,
) -> ReviewDecision:
    """Record one person's decision; when it settles the task, the workflow continues.

    The person and their rights are read under the lock, so that what they lost while they waited
    for it is lost. ``version`` is the application's version that the decider read; ``reason`` is
    text in their own words, ``reason_code`` a decline reason of the catalogue.

    Raises ``NotPermitted``, ``FourEyesViolation``, ``AboveCeiling``, ``AlreadyDecided``,
    ``NothingToDecide``, ``ClaimedBySomebodyElse``, ``StaleVersion``, ``ReasonRequired``,
    ``UnknownReason``; then nothing is written.
    Raises ``DecisionExpired`` when the time is over; then the decision is stored as late and is
    not applied.
    """
    if outcome not in {Outcome.APPROVE, Outcome.DECLINE}:
        raise ValueError("a person approves or declines")
    with transaction.atomic():
        application = application_lock(task.application.reference)
        task = task_lock(task.pk)
        now = timezone.now()  # under the lock, so that times follow the order of decisions
        person = person_or_refuse(user)
        right = authority(application, task, person, now)
        try:
            check_still_open(application, task, now)
        except DecisionExpired as refused:
            too_late: DecisionExpired | None = refused
        else:
            too_late = None
            check_not_claimed(application, task, person, now)
            if version is not None and version != application.version:
                raise StaleVersion(
                    reference=application.reference, read=version, current=application.version
                )
        words = text_for_everybody(reason, application)
        given = _reason(application, task, outcome, code=reason_code, words=words)
        if task.status == TaskStatus.OPEN and task.approvals_required > 1:
            approvals_void_stale(application=application, task=task, now=now)
        decision = ReviewDecision(
            task=task,
            decided_by=person,
            on_behalf_of=right,
            outcome=outcome,
            reason=given.whole,
            reason_code=given.code,
            reason_text=given.text,
            application_version=application.version if version is None else version,
            decided_at=now,
            late=too_late is not None,
        )
        answer_keep(application=application, task=task, decision=decision)
    if too_late is not None:
        raise too_late  # after the commit, so that the late decision is stored
    return decision


def answer_keep(
    *, application: LoanApplication, task: ReviewTask, decision: ReviewDecision
) -> None:
    """Store the decision of a person or a partner on a locked task and continue the workflow.

    A ``late`` decision is not applied, and is stored once for each person or partner.
    """
    if not decision.late:
        decision.save(force_insert=True)
        _count(application, task, decision)
    elif not task.decisions.filter(
        decided_by=decision.decided_by, partner=decision.partner, voided_at__isnull=True
    ).exists():
        decision.save(force_insert=True)
        _keep_late(application, task, decision)


def _reason(
    application: LoanApplication, task: ReviewTask, outcome: Outcome, *, code: str, words: str
) -> Reason:
    reference = application.reference
    if outcome == Outcome.DECLINE:
        return reason_read(reference=reference, kind=TaskKind(task.kind), code=code, words=words)
    if code:
        why = "Only a decline has a reason of the catalogue."
        raise UnknownReason(reference=reference, reason_code=code, why=why)
    return Reason(words.strip())


def _count(application: LoanApplication, task: ReviewTask, decision: ReviewDecision) -> None:
    kind = TaskKind(task.kind)
    # Where one approval is enough, this is the only one.
    is_enough = task.approvals_required == 1
    approvals = 1 if is_enough else len(approvals_given(application, task))
    settled = decision.outcome == Outcome.DECLINE or approvals >= task.approvals_required
    _record_decision(application, kind, decision, left=task.approvals_required - approvals)
    # Also after the first of two approvals: the claim was for giving this one.
    task.claimed_by = task.claimed_at = None
    if settled:
        task.status = TaskStatus.DECIDED
        task.outcome = decision.outcome
        task.closed_at = decision.decided_at
    task.save(update_fields=["status", "outcome", "closed_at", "claimed_by", "claimed_at"])
    if settled:
        if REVIEW_KINDS[kind].answers_offer:
            accepted = decision.outcome == Outcome.APPROVE
            _note_on_offer(
                application,
                accepted_at=decision.decided_at if accepted else None,
                declined_at=None if accepted else decision.decided_at,
            )
        stop_waiting(application)
        if application.status == Status.PENDING_APPROVAL:
            move(application, Status.IN_REVIEW)
        save(application)
        task_decided.send(ReviewTask, task=task, decision=decision)
    else:
        look_again_at(application=application, task=task, now=decision.decided_at)
        task_needs_another.send(ReviewTask, task=task, decision=decision)


def _note_on_offer(
    application: LoanApplication, *, accepted_at: datetime | None, declined_at: datetime | None
) -> None:
    LoanOffer.objects.filter(application=application, attempt=application.attempt).update(
        accepted_at=accepted_at, declined_at=declined_at
    )


def _keep_late(application: LoanApplication, task: ReviewTask, decision: ReviewDecision) -> None:
    answer = "an approval" if decision.outcome == Outcome.APPROVE else "a decline"
    event_record(
        application=application,
        kind="late_decision",
        message=f"{task.get_kind_display()}: {answer} came too late and was not applied.",
        step=REVIEW_KINDS[TaskKind(task.kind)].step,
        level=Level.WARNING,
        is_internal=True,
        actor=decision.decided_by,
        partner=decision.partner,
        data=_facts(decision),
    )
    decision_came_late.send(ReviewTask, task=task, decisions=[decision])


def decisions_undo_as_late(*, application: LoanApplication, task: ReviewTask) -> None:
    """Mark a decided task as expired and its decisions as late.

    For a decision that did not reach the engine before its wait ended, so it is not applied.
    Application and task must be locked.
    """
    counted = task.decisions.filter(COUNTED)
    decisions = list(counted.select_related("decided_by", "partner"))
    counted.update(late=True)
    row = REVIEW_KINDS[TaskKind(task.kind)]
    if row.answers_offer:
        _note_on_offer(application, accepted_at=None, declined_at=None)
    task.status = TaskStatus.EXPIRED
    task.outcome = ""
    task.save(update_fields=["status", "outcome"])
    event_record(
        application=application,
        kind="late_decision",
        message=f"{task.get_kind_display()}: the decision did not reach the workflow in time "
        "and was not applied.",
        step=row.step,
        level=Level.WARNING,
        is_internal=True,
        data={"task": task.pk},
    )
    decision_came_late.send(ReviewTask, task=task, decisions=decisions)


def _record_decision(
    application: LoanApplication, kind: TaskKind, decision: ReviewDecision, *, left: int
) -> None:
    approved = decision.outcome == Outcome.APPROVE
    verb = "approved" if approved else "declined"
    row = REVIEW_KINDS[kind]
    # The applicant accepts an offer; nobody approves it.
    outcome = Outcome(decision.outcome)
    message = f"{row.words[outcome]}." if row.answers_offer else f"{kind.label}: {verb}."
    if approved and left > 0:
        message += f" {left} more approval needed."
    event_record(
        application=application,
        kind=f"{kind.value}_{verb}",
        message=message,
        step=row.step,
        level=Level.SUCCESS if approved else Level.WARNING,
        actor=decision.decided_by,
        partner=decision.partner,
        data=_facts(decision),
        changes={"decision": (None, decision.outcome)},
    )


def _facts(decision: ReviewDecision) -> dict[str, object]:
    """Return the facts of a decision for its timeline entry and audit entry."""
    right = decision.on_behalf_of
    return {
        "reason": decision.reason,
        **({"reason_code": decision.reason_code} if decision.reason_code else {}),
        "version": decision.application_version,
        "task": decision.task_id,
        **({"on_behalf_of": right.get_username()} if right is not None else {}),
    }
