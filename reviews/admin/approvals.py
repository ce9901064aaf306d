"""Describe how many approvals a task needs and has, and who may give the next one."""

from collections import defaultdict
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.utils import timezone

from applications.models import LoanApplication
from core.admin.display import person_name
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.kinds import REVIEW_KINDS
from reviews.models import ReviewDecision, ReviewTask
from reviews.selectors import why_not_counting
from reviews.services.authority import Facts
from reviews.services.deciders import people_to_ask


@dataclass(frozen=True)
class Approvals:
    """``given`` are those that count; ``next_by`` says who may give the next one.

    ``lapsed`` are those that count no more and are not yet voided, and why; the next decision
    voids them.
    """

    needed: int
    given: tuple[ReviewDecision, ...]
    lapsed: tuple[tuple[ReviewDecision, str], ...]
    next_by: str
    people: tuple[str, ...]  # the names of whoever can, at this moment

    @property
    def progress(self) -> str:
        return f"{len(self.given)} of {self.needed}"


def approvals_of(application: LoanApplication, task: ReviewTask) -> Approvals:
    """Return the approvals of an open task whose decisions are prefetched."""
    approvals = [
        (decision, why_not_counting(decision, application))
        for decision in task.decisions.all()
        if decision.outcome == Outcome.APPROVE and not decision.late
    ]
    given = tuple(decision for decision, why_not in approvals if not why_not)
    facts = Facts(application, task, list(given))
    return Approvals(
        needed=task.approvals_required,
        given=given,
        lapsed=tuple(
            (decision, why_not)
            for decision, why_not in approvals
            if why_not and decision.voided_at is None
        ),
        next_by=f"{_role(task, given)}{_but_not(facts)}",
        people=_people(facts),
    )


def _people(facts: Facts) -> tuple[str, ...]:
    application, task = facts.application, facts.task
    found = people_to_ask(application=application, task=task, now=timezone.now(), facts=facts)
    by_partner = [] if REVIEW_KINDS[TaskKind(task.kind)].decided_by_staff else [application.partner]
    return (
        *(person_name(each.person) for each in found),
        *(f"{partner}, for the applicant" for partner in by_partner if partner is not None),
    )


def _role(task: ReviewTask, given: tuple[ReviewDecision, ...]) -> str:
    row = REVIEW_KINDS[TaskKind(task.kind)]
    return row.next_assignee(task.assigned_role, approved_before=bool(given)).described


def _but_not(facts: Facts) -> str:
    did: defaultdict[User, list[str]] = defaultdict(list)
    for contribution in facts.worked:
        did[contribution.person].append(f"{contribution.did} it")
    for decision in facts.given:
        if decision.decided_by is not None:
            did[decision.decided_by].append("approved it")
        if decision.on_behalf_of is not None:
            did[decision.on_behalf_of].append("lent the right to approve it")
    barred = [f"{person_name(person)}, who {' and '.join(verbs)}" for person, verbs in did.items()]
    return f"; not {'; not '.join(barred)}" if barred else ""
