"""Read from the record what an application still lacks before it may be offered or paid.

What the engine says does not count here. Needed are: the review of each kind that applies,
decided with its quorum in this attempt; an answer of the fraud check on record; and for each
fraud flag, of any try and any attempt, a review that cleared it. The steps read it under the
application's lock, and reconcile for what is funded already.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from django.db.models import Exists, F, OuterRef, Value

from applications.models import LoanOffer, RiskAssessment
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.kinds import REVIEW_KINDS, Trigger
from reviews.selectors import tasks_decided
from workflows.models import PendingCallback

# What may be lacking besides a kind of review.
FRAUD_CHECK = "fraud_check"
RISK_ASSESSMENT = "risk_assessment"

SWITCHES = tuple(row.required_by for row in REVIEW_KINDS.values() if row.required_by)
ANSWERED = frozenset({PendingCallback.Status.ANSWERED, PendingCallback.Status.DELIVERED})


class Requirement(Enum):
    """Facts that a step may require of the record."""

    REFERRED = auto()  # the reviews to which the policy refers the application
    ANSWER = auto()  # an answer of the fraud check
    FLAGGED = auto()  # a review of every fraud flag
    OFFERED = auto()  # the reviews of the offer


REQUIREMENT_OF = {
    Trigger.REFERRED: Requirement.REFERRED,
    Trigger.FLAGGED: Requirement.FLAGGED,
    Trigger.OFFERED: Requirement.OFFERED,
}

type Requirements = frozenset[Requirement]

BEFORE_FRAUD_CHECK: Requirements = frozenset({Requirement.REFERRED})
BEFORE_FRAUD_REVIEW: Requirements = BEFORE_FRAUD_CHECK | {Requirement.ANSWER}
BEFORE_OFFER: Requirements = BEFORE_FRAUD_REVIEW | {Requirement.FLAGGED}
BEFORE_PAYOUT: Requirements = BEFORE_OFFER | {Requirement.OFFERED}


@dataclass
class Facts:
    """The facts on record that decide whether one application may be offered or paid."""

    assessed: str = ""  # the outcome of this attempt's risk assessment; empty: there is none
    switches: frozenset[str] = frozenset()  # the pinned policy's, by field
    must_accept: bool = False  # this attempt's offer needs a yes, whatever the policy says
    has_accepted: bool = False  # this attempt's offer has the terms of one that was accepted
    approved: set[str] = field(default_factory=set)  # kinds of review, in this attempt
    declined: set[str] = field(default_factory=set)  # kinds of review, in this attempt
    cleared: set[int] = field(default_factory=set)  # approved tasks of all attempts
    is_answered: bool = False  # by the fraud check, in this attempt
    flags: list[int | None] = field(default_factory=list)  # the task that reviews each flag

    @property
    def is_flagged(self) -> bool:
        return bool(self.flags)

    @property
    def has_open_flag(self) -> bool:
        """True while there is a flag that no review has cleared."""
        return any(task not in self.cleared for task in self.flags)


def facts_read(
    applications: Iterable[int], needs: Requirements = BEFORE_PAYOUT
) -> dict[int, Facts]:
    """Read the facts that ``needs`` are about, of applications by their primary keys.

    These are at most three statements, whatever the number of applications.
    """
    facts = {pk: Facts() for pk in applications}
    assessments = RiskAssessment.objects.filter(
        application__in=facts, attempt=F("application__attempt")
    )
    switches = (f"policy__{name}" for name in SWITCHES)
    offers = LoanOffer.objects.filter(
        application=OuterRef("application"), attempt=OuterRef("attempt")
    ).order_by()
    of_offer: tuple[Exists | Value, Exists | Value] = (Value(value=False), Value(value=False))
    if Requirement.OFFERED in needs:
        of_offer = (
            Exists(offers.filter(acceptance_required=True)),
            Exists(offers.filter(accepted_in__isnull=False)),
        )
    for pk, outcome, must_accept, has_accepted, *values in assessments.values_list(
        "application", "outcome", *of_offer, *switches
    ):
        found = facts[pk]
        on = (name for name, value in zip(SWITCHES, values, strict=True) if value)
        found.assessed, found.switches = outcome, frozenset(on)
        found.must_accept, found.has_accepted = must_accept, has_accepted
    tasks = tasks_decided().filter(application__in=facts).order_by()
    for pk, task, kind, outcome, attempt, current in tasks.values_list(
        "application", "pk", "kind", "outcome", "attempt", "application__attempt"
    ):
        found = facts[pk]
        if outcome == Outcome.APPROVE:
            found.cleared.add(task)
        if attempt == current:
            (found.approved if outcome == Outcome.APPROVE else found.declined).add(kind)
    if not needs & {Requirement.ANSWER, Requirement.FLAGGED}:
        return facts
    answers = PendingCallback.objects.filter(
        execution__application__in=facts, review_task__isnull=True
    ).order_by()
    for pk, status, flagged_at, review, attempt, current in answers.values_list(
        "execution__application",
        "status",
        "flagged_at",
        "flag_review",
        "execution__attempt",
        "execution__application__attempt",
    ):
        if status in ANSWERED and attempt == current:
            facts[pk].is_answered = True
        if flagged_at is not None:
            facts[pk].flags.append(review)
    return facts


def lacking(facts: Facts, needs: Requirements) -> tuple[str, ...]:
    """Return what the record lacks, in the order of the workflow: ``FRAUD_CHECK`` or kinds.

    ``RISK_ASSESSMENT`` alone means that nothing can be added: the policy did not accept it.
    """
    if facts.assessed not in {Outcome.APPROVE, Outcome.REFER}:
        return (RISK_ASSESSMENT,)
    found = [
        kind.value
        for kind, row in REVIEW_KINDS.items()
        if REQUIREMENT_OF[row.trigger] in needs and needs_review(facts, kind)
    ]
    if Requirement.ANSWER in needs and not facts.is_answered:
        # Asked before the reviews that its answer, or the offer, leads to.
        before = sum(REVIEW_KINDS[TaskKind(kind)].trigger is Trigger.REFERRED for kind in found)
        found.insert(before, FRAUD_CHECK)
    return tuple(found)


def described(lacks: Iterable[str]) -> str:
    """Return what is lacking, for a sentence."""
    names = {FRAUD_CHECK: "an answer of the fraud check", RISK_ASSESSMENT: "a risk assessment"}
    return ", ".join(names.get(each) or REVIEW_KINDS[TaskKind(each)].named for each in lacks)


def needs_review(facts: Facts, kind: TaskKind) -> bool:
    """True when a review of this kind applies to an application and has not approved it."""
    row = REVIEW_KINDS[kind]
    is_on = not row.required_by or row.required_by in facts.switches
    if row.trigger is Trigger.OFFERED:
        is_on = (is_on or facts.must_accept) and not facts.has_accepted
    if not is_on:
        return False
    match row.trigger:
        case Trigger.REFERRED:
            return facts.assessed == Outcome.REFER and kind.value not in facts.approved
        case Trigger.FLAGGED:
            return facts.has_open_flag
        case Trigger.OFFERED:
            return kind.value not in facts.approved
