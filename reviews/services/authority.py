"""Check who may decide a task: role, ceiling, four eyes, second approval and claim.

A person decides with their own authority, or with that of a delegator (``delegation``). One
person's authority gives one approval of a task, whoever uses it. ``decisions`` and ``claims``
call these checks under their locks; queries over many tasks are in ``decisions``.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.contrib.auth.models import User
from django.db.models import Exists, Q

from accounts.rights import person_now
from accounts.roles import APPROVERS, Role, role_above, role_by_key
from applications.choices import Status
from applications.contributions import Contribution, contributions_of
from applications.models import LoanApplication
from applications.transitions import is_terminal
from core.errors import DomainError, NotPermitted
from lending.choices import Outcome
from lending.services import policy_ceilings
from reviews import errors
from reviews.choices import TaskKind, TaskStatus
from reviews.kinds import REVIEW_KINDS
from reviews.models import ReviewDecision, ReviewTask
from reviews.selectors import COUNTED, why_not_counting
from reviews.services.delegation import Right, delegated_rights, own_right

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


@dataclass(frozen=True)
class ApprovalAuthority:
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


def authority(
    application: LoanApplication, task: ReviewTask, user: User, now: datetime
) -> User | None:
    """Check whether ``user`` may decide this task, apart from its expiry and claim.

    Returns ``None`` for their own authority, else the delegator whose authority they use.
    Raises the reason why they may not.
    """
    row = REVIEW_KINDS[TaskKind(task.kind)]
    own = own_right(user)
    may = own.may(row.permission)
    lent = [] if may else _lent(user, row.permission, now)
    if not may and not lent:
        raise NotPermitted(f"You may not decide {row.named}.")
    if task.status == TaskStatus.DECIDED:
        raise already_decided(application, task)
    if not can_be_answered(application, task):
        raise errors.NothingToDecide(reference=application.reference, status=application.status)
    worked = contributions_of(application) if row.four_eyes else []
    _check_four_eyes(application, worked, user, "You")
    given = approvals_given(application, task)
    if mine := next((decision for decision in given if decision.decided_by_id == user.pk), None):
        raise errors.AlreadyDecided(
            reference=application.reference,
            outcome="approved, waiting for a second person",
            decided_by="you",
            at=mine.decided_at,
        )
    if may:
        try:
            _check_right(application, task, own, given)
        except DomainError:
            lent = _lent(user, row.permission, now)
            if not lent:
                raise
        else:
            return None
    return _first_that_may(application, task, lent, given, worked)


def approvals_given(application: LoanApplication, task: ReviewTask) -> list[ReviewDecision]:
    """Return the approvals of an undecided task that count, the first one first."""
    given = task.decisions.filter(COUNTED, outcome=Outcome.APPROVE)
    given = given.select_related("decided_by", "on_behalf_of").order_by("decided_at", "pk")
    return [decision for decision in given if not why_not_counting(decision, application)]


def _lent(user: User, permission: str, now: datetime) -> list[Right]:
    return [right for right in delegated_rights(user=user, now=now) if right.may(permission)]


def _first_that_may(
    application: LoanApplication,
    task: ReviewTask,
    lent: list[Right],
    given: list[ReviewDecision],
    worked: list[Contribution],
) -> User:
    """Return the first delegator who may decide; else raise why the first one may not."""
    refusals: list[DomainError] = []
    for right in lent:
        try:
            _check_four_eyes(application, worked, right.person, right.person.get_username())
            _check_right(application, task, right, given)
        except DomainError as refused:
            refusals.append(refused)
        else:
            return right.person
    raise refusals[0]


def _check_four_eyes(
    application: LoanApplication, worked: list[Contribution], user: User, who: str
) -> None:
    for contribution in worked:
        if contribution.person == user:
            raise errors.FourEyesViolation(
                reference=application.reference, did=contribution.did, who=who
            )


def _check_right(
    application: LoanApplication, task: ReviewTask, right: Right, given: list[ReviewDecision]
) -> None:
    """Raise if the person's authority has given an approval already, or does not cover the task."""
    for decision in given:
        if right.person.pk in {decision.decided_by_id, decision.on_behalf_of_id}:
            by = decision.decided_by
            raise errors.AlreadyDecided(
                reference=application.reference,
                outcome="approved in the same right, waiting for another",
                decided_by=by.get_username() if by else "",
                at=decision.decided_at,
            )
    row, approved_before = REVIEW_KINDS[TaskKind(task.kind)], bool(given)
    held = approval_authority(right)
    if not row.has_ceiling or held.covers(task.assigned_role, approved_before=approved_before):
        return
    ceilings = policy_ceilings(application.policy) if application.policy else {}
    ceiling = ceilings.get(held.role, Decimal(0))
    needed = row.next_assignee(task.assigned_role, approved_before=approved_before)
    raise errors.AboveCeiling(
        reference=application.reference,
        role=held.role.lower(),
        ceiling="" if ceiling is None else f"{ceiling:,.2f} {application.currency}",
        needed=role_by_key(needed.role).lower(),
    )


def already_decided(application: LoanApplication, task: ReviewTask) -> errors.AlreadyDecided:
    """Return the error for a decided task, with who decided it and when."""
    counted = task.decisions.filter(COUNTED)
    last = counted.select_related("decided_by", "partner").last()
    if last is None:
        raise RuntimeError(f"task {task.pk} is decided but has no decision")
    decider = last.decided_by.get_username() if last.decided_by else str(last.partner)
    return errors.AlreadyDecided(
        reference=application.reference,
        outcome=last.get_outcome_display().lower(),
        decided_by=decider,
        at=last.decided_at,
    )
