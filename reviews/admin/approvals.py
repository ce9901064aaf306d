"""Describe how many approvals a task needs and has, and who may give the next one."""

from collections import defaultdict
from dataclasses import dataclass

from applications.models import LoanApplication
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.kinds import REVIEW_KINDS
from reviews.models import ReviewDecision, ReviewTask
from reviews.services.authority import TOUCHED


@dataclass(frozen=True)
class Approvals:
    """``given`` are those that count; ``next_by`` says who may give the next one."""

    needed: int
    given: tuple[ReviewDecision, ...]
    next_by: str

    @property
    def progress(self) -> str:
        return f"{len(self.given)} of {self.needed}"


def approvals_of(application: LoanApplication, task: ReviewTask) -> Approvals:
    """Return the approvals of an open task whose decisions are prefetched."""
    given = tuple(
        decision
        for decision in task.decisions.all()
        if decision.outcome == Outcome.APPROVE and not decision.late
    )
    return Approvals(
        needed=task.approvals_required,
        given=given,
        next_by=f"{_role(task, given)}{_but_not(application, task, given)}",
    )


def _role(task: ReviewTask, given: tuple[ReviewDecision, ...]) -> str:
    row = REVIEW_KINDS[TaskKind(task.kind)]
    return row.next_assignee(task.assigned_role, approved_before=bool(given)).described


def _but_not(
    application: LoanApplication, task: ReviewTask, given: tuple[ReviewDecision, ...]
) -> str:
    did: defaultdict[str, list[str]] = defaultdict(list)
    if REVIEW_KINDS[TaskKind(task.kind)].four_eyes:
        for field, verb in TOUCHED:
            person = getattr(application, field)
            if person is not None:
                did[person.get_username()].append(f"{verb} it")
    for decision in given:
        if decision.decided_by is not None:
            did[decision.decided_by.get_username()].append("approved it")
        if decision.on_behalf_of is not None:
            did[decision.on_behalf_of.get_username()].append("lent the right to approve it")
    barred = [f"{name}, who {' and '.join(verbs)}" for name, verbs in did.items()]
    return f"; not {'; not '.join(barred)}" if barred else ""
