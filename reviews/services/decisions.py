"""Record decisions on review tasks, and select the tasks that a person may decide.

The checks of one person and one task are in ``authority``, and what a decision writes is in
``answers``: one task and many go the same way. An applicant's answer to an offer, sent by a
partner, is in ``offer_answers``.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, prefetch_related_objects
from django.utils import timezone

from applications.contributions import contributed
from applications.errors import StaleVersion
from applications.locking import application_lock
from applications.models import LoanApplication
from applications.services.timeline import text_for_everybody
from core.errors import DomainError, NotPermitted
from core.locking import locked
from lending.choices import Outcome
from reviews.choices import TaskKind, TaskStatus
from reviews.errors import DecisionExpired, UnknownReason
from reviews.kinds import CEILING_KINDS, FOUR_EYES_KINDS, REVIEW_KINDS
from reviews.locking import task_lock
from reviews.models import DeclineReason, ReviewDecision, ReviewTask
from reviews.selectors import approvals_counting
from reviews.services.answers import Answer, answers_keep
from reviews.services.approvals import approvals_void_stale
from reviews.services.authority import (
    CLAIM_LASTS,
    Facts,
    approval_authority,
    authority_used,
    check_not_claimed,
    check_still_open,
    facts_of,
    person_or_refuse,
)
from reviews.services.decline_reasons import Reason, reason_chosen, reason_read
from reviews.services.delegation import Right, Rights, delegated_rights, own_right


def decision_check(
    *, application: LoanApplication, task: ReviewTask, user: User, now: datetime
) -> User | None:
    """Raise the reason why ``user`` may not decide ``task`` now.

    Returns ``None`` for their own authority, else the delegator whose authority they use. Pages
    call it to show or hide buttons; ``task_decide`` makes the same checks under its locks.
    """
    return facts_check(facts=Facts(application, task), rights=Rights(user, now), now=now)


def facts_check(*, facts: Facts, rights: Rights, now: datetime) -> User | None:
    """Check as ``decision_check``, with what was read before for many tasks."""
    right = authority_used(facts, rights)
    check_still_open(facts.application, facts.task, now)
    check_not_claimed(facts.application, facts.task, rights.person, now)
    return right


def may_decide_some(*, user: User, kinds: Iterable[TaskKind]) -> bool:
    """True if ``user``, or somebody who delegated to them, may decide tasks of these kinds."""
    permissions = [REVIEW_KINDS[kind].permission for kind in kinds]
    if any(user.has_perm(permission) for permission in permissions):
        return True
    lent = delegated_rights(user=user, now=timezone.now())
    return any(right.may(permission) for right in lent for permission in permissions)


def tasks_decidable(
    *, user: User, now: datetime, among: QuerySet[ReviewTask] | None = None
) -> QuerySet[ReviewTask]:
    """Return the open tasks that ``decision_check`` lets ``user`` decide now.

    Of all tasks, or of those of ``among``.
    """
    claimed = Q(claimed_by__isnull=False, claimed_at__gt=now - CLAIM_LASTS)
    waiting = tasks_waiting_on(user=user, now=now, among=among)
    return waiting.exclude(claimed & ~Q(claimed_by=user))


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
    with transaction.atomic():
        application = application_lock(task.application.reference)
        task = task_lock(task.pk)
        task.application = application
        draft = Draft(user, outcome, reason, reason_code)
        (result,) = _decide(draft, [(Facts(application, task), version)])
    if isinstance(result, DomainError):
        raise result  # after the commit, so that a late decision is stored
    return result


def tasks_decide(
    *,
    versions: Mapping[int, int],
    user: User,
    outcome: Outcome,
    reason: str = "",
    reason_code: str = "",
) -> dict[int, ReviewDecision | DomainError]:
    """Record one person's decision on many tasks of different applications, as ``task_decide``.

    ``versions`` are the versions that the decider read, by the task's key. Returns for each task
    its decision, or the error that ``task_decide`` raises; such a task does not keep others from
    being decided. In a transaction: applications and then tasks are locked in the order of their
    keys, and the person's rights are read once, under the locks.
    """
    asked = ReviewTask.objects.filter(pk__in=versions)
    owners = LoanApplication.objects.filter(pk__in=asked.values("application"))
    applications = {application.pk: application for application in locked(owners)}
    tasks = list(locked(asked))
    for task in tasks:
        task.application = applications[task.application_id]
    prefetch_related_objects(tasks, "claimed_by")
    draft = Draft(user, outcome, reason, reason_code)
    results = _decide(draft, [(facts, versions[facts.task.pk]) for facts in facts_of(tasks)])
    return {task.pk: result for task, result in zip(tasks, results, strict=True)}


class Draft(NamedTuple):
    """The outcome and the reason that one person gives one or many tasks."""

    user: User
    outcome: Outcome
    words: str
    code: str

    @property
    def declines(self) -> bool:
        return self.outcome == Outcome.DECLINE


def _decide(
    draft: Draft, asked: Sequence[tuple[Facts, int | None]]
) -> list[ReviewDecision | DomainError]:
    """Decide locked tasks, each with the version that was read; the results in this order."""
    if draft.outcome not in {Outcome.APPROVE, Outcome.DECLINE}:
        raise ValueError("a person approves or declines")
    now = timezone.now()  # under the lock, so that times follow the order of decisions
    try:
        rights = Rights(person_or_refuse(draft.user), now)
    except NotPermitted as refused:
        return [refused] * len(asked)
    chosen = reason_chosen(draft.code) if draft.declines else None
    results: list[ReviewDecision | DomainError] = []
    answers = []
    for facts, version in asked:
        try:
            right, too_late = _check(facts, rights, version, now)
            given = _reason(facts, draft, chosen)
        except DomainError as refused:
            results.append(refused)
            continue
        application, task = facts.application, facts.task
        several = task.status == TaskStatus.OPEN and task.approvals_required > 1
        if several and facts.has_stale_approvals:
            approvals_void_stale(application=application, task=task, now=now)
        decision = ReviewDecision(
            task=task,
            decided_by=rights.person,
            on_behalf_of=right,
            outcome=draft.outcome,
            reason=given.whole,
            reason_code=given.code,
            reason_text=given.text,
            application_version=application.version if version is None else version,
            decided_at=now,
            late=too_late is not None,
        )
        answers.append(Answer(facts, decision))
        results.append(too_late or decision)
    answers_keep(answers)
    return results


def _check(
    facts: Facts, rights: Rights, version: int | None, now: datetime
) -> tuple[User | None, DecisionExpired | None]:
    """Check as ``facts_check``, and the version.

    Returns whose authority is used, and the error of a decision that comes too late: it is stored.
    """
    application, task = facts.application, facts.task
    right = authority_used(facts, rights)
    try:
        check_still_open(application, task, now)
    except DecisionExpired as too_late:
        return right, too_late
    check_not_claimed(application, task, rights.person, now)
    if version is not None and version != application.version:
        raise StaleVersion(
            reference=application.reference, read=version, current=application.version
        )
    return right, None


def _reason(facts: Facts, draft: Draft, chosen: DeclineReason | None) -> Reason:
    reference = facts.application.reference
    words = text_for_everybody(draft.words, facts.application)
    if draft.declines:
        kind = facts.row.kind
        return reason_read(
            reference=reference, kind=kind, code=draft.code, chosen=chosen, words=words
        )
    if draft.code:
        why = "Only a decline has a reason of the catalogue."
        raise UnknownReason(reference=reference, reason_code=draft.code, why=why)
    return Reason(words.strip())
