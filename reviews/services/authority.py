"""Check who may decide a task: role, ceiling, four eyes, second approval and claim.

A person decides with their own authority, or with that of a delegator (``delegation``). One
person's authority gives one approval of a task, whoever uses it. ``decisions`` and ``claims``
call these checks under their locks; queries over many tasks are in ``decisions``.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db.models import Exists, Manager, Q, QuerySet

from accounts.rights import person_now
from accounts.roles import APPROVERS, Role, role_above, role_by_key
from applications.choices import Status
from applications.contributions import (
    Contribution,
    contributions_load_many,
    contributions_of,
)
from applications.models import LoanApplication
from applications.transitions import is_terminal
from core.errors import DomainError, NotPermitted
from lending.choices import Outcome
from lending.services import policy_ceilings, policy_published
from reviews import errors
from reviews.choices import TaskKind, TaskStatus
from reviews.kinds import REVIEW_KINDS, ReviewKind
from reviews.models import ReviewDecision, ReviewTask
from reviews.selectors import COUNTED, why_not_counting
from reviews.services.delegation import Right, Rights

# A claim lapses after this time.
CLAIM_LASTS = timedelta(minutes=30)


def claim_stands(task: ReviewTask, now: datetime) -> bool:
    """True if the open task has a claim that has not lapsed."""
    return (
        task.status == TaskStatus.OPEN
        and task.claimed_by_id is not None
        and task.claimed_at is not None
        and now < task.claimed_at + CLAIM_LASTS
    )


def check_not_claimed(
    application: LoanApplication, task: ReviewTask, user: User, now: datetime
) -> None:
    """Raise ``ClaimedBySomebodyElse`` while the claim of another person stands."""
    if not claim_stands(task, now) or task.claimed_by_id == user.pk:
        return
    if task.claimed_by is None or task.claimed_at is None:
        raise RuntimeError(f"task {task.pk} is claimed by nobody")
    raise errors.ClaimedBySomebodyElse(
        reference=application.reference,
        claimed_by=task.claimed_by.get_username(),
        since=task.claimed_at,
        until=task.claimed_at + CLAIM_LASTS,
    )


def check_still_open(application: LoanApplication, task: ReviewTask, now: datetime) -> None:
    if task.status == TaskStatus.EXPIRED or now >= task.expires_at:
        raise errors.DecisionExpired(reference=application.reference, at=task.expires_at)


def can_be_answered(application: LoanApplication, task: ReviewTask) -> bool:
    """True if an undecided task accepts a decision, even one that is too late."""
    # A task that expired with its application still accepts a decision, which is stored as late.
    over = is_terminal(application.status) and application.status != Status.EXPIRED
    waits = task.status == TaskStatus.OPEN or (task.status == TaskStatus.EXPIRED and not over)
    return waits and task.attempt == application.attempt


class ApprovalAuthority(NamedTuple):
    """The tasks of kinds with a ceiling that a person may decide, by assigned role."""

    role: Role
    first: tuple[str, ...]  # they may decide while nobody has approved
    further: tuple[str, ...]  # they may also give an approval after the first

    @property
    def is_highest(self) -> bool:
        return self.role == APPROVERS[-1]

    def covers(self, assigned_role: str, *, approved_before: bool) -> bool:
        """True if the authority covers a task. The same rule as ``excluded``, for one task."""
        return self.is_highest or assigned_role in (self.further if approved_before else self.first)

    def excluded(self, approved_before: Exists) -> Q:
        """Return a filter of the tasks that are not covered. The same rule as ``covers``."""
        beyond = ~Q(assigned_role__in=self.first)
        return beyond | (Q(approved_before) & ~Q(assigned_role__in=self.further))


def approval_authority(right: Right) -> ApprovalAuthority:
    """Return the authority of the highest role of a right, or of the lowest role if it has none.

    A further approval needs the role above the assigned role of the task.
    """
    held = (role for role in reversed(APPROVERS) if right.may(role.authority_permission))
    role = next(held, APPROVERS[0])
    covered = APPROVERS[: APPROVERS.index(role) + 1]
    return ApprovalAuthority(
        role=role,
        first=tuple(each.key for each in covered),
        further=tuple(each.key for each in covered if role_above(each.key) in covered),
    )


def person_or_refuse(user: User) -> User:
    """Return the person and their rights as they are now, under the lock. Raises ``NotPermitted``.

    What the request began with may have changed while it waited for the lock.
    """
    person = person_now(user)
    if person is None:
        raise NotPermitted("You may not sign in any more.")
    return person


class Facts:
    """The decisions on a task and the work on its application, read when first needed.

    ``given`` are the approvals that count, and ``counted`` the decisions that ``COUNTED`` selects,
    where they were read before.
    """

    def __init__(
        self,
        application: LoanApplication,
        task: ReviewTask,
        given: list[ReviewDecision] | None = None,
        counted: list[ReviewDecision] | None = None,
    ) -> None:
        self.application, self.task = application, task
        if given is not None:
            self.given = given
        if counted is not None:
            self.counted = counted

    def including(self, approval: ReviewDecision) -> "Facts":
        """Return the facts as they are once this approval counts as well."""
        facts = Facts(self.application, self.task, given=[*self.given, approval])
        facts.worked = self.worked
        return facts

    @property
    def row(self) -> ReviewKind:
        return REVIEW_KINDS[TaskKind(self.task.kind)]

    @cached_property
    def worked(self) -> list[Contribution]:
        """The work of people on the application, which keeps them from deciding the task."""
        return contributions_of(self.application) if self.row.four_eyes else []

    @cached_property
    def counted(self) -> list[ReviewDecision]:
        """The decisions on the task that are neither late nor voided, the first one first."""
        return list(_counted(self.task.decisions))

    @cached_property
    def given(self) -> list[ReviewDecision]:
        """The approvals of the task that count, the first one first."""
        return [each for each in self._approvals if not why_not_counting(each, self.application)]

    @property
    def has_stale_approvals(self) -> bool:
        """Tell whether an approval counts no more and was not voided."""
        return any(why_not_counting(each, self.application) for each in self._approvals)

    @property
    def _approvals(self) -> list[ReviewDecision]:
        return [each for each in self.counted if each.outcome == Outcome.APPROVE]

    @cached_property
    def ceilings(self) -> Mapping[Role, Decimal | None]:
        """The ceiling of each role in the policy of the application."""
        pk = self.application.policy_id
        return {} if pk is None else policy_ceilings(policy_published(pk))

    @property
    def next_role(self) -> str:
        """The lowest role that may give the next decision."""
        return self.row.next_assignee(
            self.task.assigned_role, approved_before=bool(self.given)
        ).role


def facts_of(tasks: Collection[ReviewTask]) -> list[Facts]:
    """Read the facts of tasks, whose applications are loaded; at most four queries for many."""
    watched = [task.application for task in tasks if REVIEW_KINDS[TaskKind(task.kind)].four_eyes]
    contributions_load_many(watched)
    counted: defaultdict[int, list[ReviewDecision]] = defaultdict(list)
    for decision in _counted(ReviewDecision.objects.filter(task__in=tasks)):
        counted[decision.task_id].append(decision)
    return [Facts(task.application, task, counted=counted[task.pk]) for task in tasks]


def authority(
    application: LoanApplication, task: ReviewTask, user: User, now: datetime
) -> User | None:
    """Check whether ``user`` may decide this task, as ``authority_used``."""
    return authority_used(Facts(application, task), Rights(user, now))


def authority_used(facts: Facts, rights: Rights) -> User | None:
    """Check whether a person may decide a task, apart from its expiry and claim.

    Returns ``None`` for their own authority, else the delegator whose authority they use.
    Raises the reason why they may not.
    """
    right = right_to_decide(facts, rights.own, lambda: rights.delegated)
    return None if right.person == rights.person else right.person


def right_to_decide(facts: Facts, own: Right, delegated: Callable[[], Iterable[Right]]) -> Right:
    """Return the right by which a person may decide, their own if that is enough.

    ``delegated`` reads what others delegated to them, and is called only when it is needed.
    Raises the reason why they may not.
    """
    application, task, row, user = facts.application, facts.task, facts.row, own.person
    may = own.may(row.permission)
    lent = [] if may else _lent(delegated, row.permission)
    if not may and not lent:
        raise NotPermitted(f"You may not decide {row.named}.")
    if task.status == TaskStatus.DECIDED:
        raise already_decided(facts)
    if not can_be_answered(application, task):
        raise errors.NothingToDecide(reference=application.reference, status=application.status)
    _check_four_eyes(facts, user, "You")
    if mine := next((each for each in facts.given if each.decided_by_id == user.pk), None):
        raise errors.AlreadyDecided(
            reference=application.reference,
            outcome="approved, waiting for a second person",
            decided_by="you",
            at=mine.decided_at,
        )
    if may:
        try:
            _check_right(facts, own)
        except DomainError:
            lent = _lent(delegated, row.permission)
            if not lent:
                raise
        else:
            return own
    return _first_that_may(facts, lent)


def _counted(
    decisions: Manager[ReviewDecision] | QuerySet[ReviewDecision],
) -> QuerySet[ReviewDecision]:
    people = ("decided_by", "on_behalf_of", "partner")
    return decisions.filter(COUNTED).select_related(*people).order_by("decided_at", "pk")


def _lent(delegated: Callable[[], Iterable[Right]], permission: str) -> list[Right]:
    return [right for right in delegated() if right.may(permission)]


def _first_that_may(facts: Facts, lent: list[Right]) -> Right:
    """Return the first delegated right that is enough; else raise why the first one is not."""
    refusals: list[DomainError] = []
    for right in lent:
        try:
            _check_four_eyes(facts, right.person, right.person.get_username())
            _check_right(facts, right)
        except DomainError as refused:
            refusals.append(refused)
        else:
            return right
    raise refusals[0]


def _check_four_eyes(facts: Facts, user: User, who: str) -> None:
    for contribution in facts.worked:
        if contribution.person == user:
            raise errors.FourEyesViolation(
                reference=facts.application.reference, did=contribution.did, who=who
            )


def _check_right(facts: Facts, right: Right) -> None:
    """Raise if the person's authority has given an approval already, or does not cover the task."""
    application = facts.application
    for decision in facts.given:
        if right.person.pk in {decision.decided_by_id, decision.on_behalf_of_id}:
            by = decision.decided_by
            raise errors.AlreadyDecided(
                reference=application.reference,
                outcome="approved in the same right, waiting for another",
                decided_by=by.get_username() if by else "",
                at=decision.decided_at,
            )
    held, approved_before = approval_authority(right), bool(facts.given)
    assigned = facts.task.assigned_role
    if not facts.row.has_ceiling or held.covers(assigned, approved_before=approved_before):
        return
    ceiling = facts.ceilings.get(held.role, Decimal(0))
    is_above = ceiling is not None and application.loan_amount > ceiling
    raise errors.AboveCeiling(
        reference=application.reference,
        role=held.role.lower(),
        ceiling=f"{ceiling:,.2f} {application.currency}" if is_above else "",
        needed=role_by_key(facts.next_role).lower(),
    )


def already_decided(facts: Facts) -> errors.AlreadyDecided:
    """Return the error for a decided task, with who decided it and when."""
    if not facts.counted:
        raise RuntimeError(f"task {facts.task.pk} is decided but has no decision")
    last = facts.counted[-1]
    decider = last.decided_by.get_username() if last.decided_by else str(last.partner)
    return errors.AlreadyDecided(
        reference=facts.application.reference,
        outcome=last.get_outcome_display().lower(),
        decided_by=decider,
        at=last.decided_at,
    )
