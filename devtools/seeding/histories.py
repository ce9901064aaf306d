"""What became of one made-up application: drawn by chance, judged by the lending policy.

Pure: values in, a ``Course`` out. ``rows`` writes what it says.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from random import Random

from applications.choices import Bureau, Purpose, Status, Step
from devtools.seeding.people import PARTNERS, Person, person
from lending.choices import Outcome
from lending.underwriting import Assessment, PolicyRules, Report, assess
from reviews.choices import TaskKind, TaskStatus
from reviews.kinds import ROWS, Trigger

CURRENCY = "CAD"
TERMS = (12, 24, 36, 48, 60, 60, 60, 72, 84)
PARTNER_SHARES = [1 / (place + 1) for place in range(len(PARTNERS))]
LARGEST = 1_000_000
REFERRED = tuple(row for row in ROWS if row.trigger is Trigger.REFERRED)


class TargetState(Enum):
    """How far a case is to come."""

    CLOSED = auto()  # or a draft, or in the hands of Operations: nothing carries it any more
    SUBMITTED = auto()  # its start waits in the outbox: an engine carries it from there
    STANDING = auto()  # under way by its rows alone: no engine knows it


@dataclass(frozen=True)
class Terms:
    """What courses are drawn with. ``now`` is when the last of them may have ended."""

    now: datetime
    days: float
    rules: PolicyRules
    waits: Mapping[TaskKind, timedelta]  # how long a task of the kind stays open


@dataclass
class Asked:
    """Somebody was asked, and what became of it."""

    status: TaskStatus
    opened_at: datetime
    closed_at: datetime | None = None
    outcome: Outcome | None = None


@dataclass
class Course:
    person: Person
    amount: Decimal
    income: Decimal | None
    purpose: Purpose
    term_months: int
    partner: int | None  # its place in ``PARTNERS``; ``None``: typed in by staff
    status: Status
    step: Step | None
    created_at: datetime
    submitted_at: datetime | None = None
    validated: bool = False
    reports: dict[Bureau, Report] = field(default_factory=dict)
    assessment: Assessment | None = None
    asked: dict[TaskKind, Asked] = field(default_factory=dict)
    offered_at: datetime | None = None
    paid: bool = False
    ended_at: datetime | None = None


def draw(random: Random, terms: Terms, *, number: int, fate: TargetState) -> Course:
    """One application and its course, in the order in which it would have happened."""
    age = timedelta(days=random.uniform(0.05, terms.days))
    if fate is TargetState.STANDING:  # no older than a task may wait
        age = min(age, min(terms.waits.values()) * random.uniform(0.01, 0.8))
    elif fate is TargetState.SUBMITTED:
        age = timedelta(minutes=random.uniform(1, 30))
    course = _applied(random, number, terms.now - age, larger=fate is not TargetState.CLOSED)
    if fate is TargetState.CLOSED and random.random() < 0.04:
        return course  # a draft
    course.status, course.step = Status.SUBMITTED, Step.SUBMITTED
    course.submitted_at = course.created_at + age * random.uniform(0.001, 0.01)
    if fate is TargetState.SUBMITTED:
        return course
    _carry(random, terms, course, standing=fate is TargetState.STANDING)
    return course


def _applied(random: Random, number: int, at: datetime, *, larger: bool) -> Course:
    income = random.lognormvariate(math.log(78_000), 0.45)
    amount = random.lognormvariate(math.log(160_000 if larger else 36_000), 1.0)
    rounded = int(min(max(amount, 1_000), LARGEST) // 500 * 500)
    by_partner = random.random() < 0.65
    return Course(
        person=person(random, number),
        amount=Decimal(rounded),
        income=None if random.random() < 0.03 else Decimal(int(income // 100 * 100)),
        purpose=random.choice(list(Purpose)),
        term_months=random.choice(TERMS),
        partner=random.choices(range(len(PARTNERS)), PARTNER_SHARES)[0] if by_partner else None,
        status=Status.DRAFT,
        step=None,
        created_at=at,
    )


def _carry(random: Random, terms: Terms, course: Course, *, standing: bool) -> None:
    """From the first step to where it stands or ended."""
    if course.submitted_at is None:
        raise ValueError("a draft is not carried")
    left = terms.now - course.submitted_at
    shortly = min(left * 0.1, timedelta(seconds=random.uniform(5, 60)))
    at = course.submitted_at + shortly
    course.validated, course.status, course.step = True, Status.IN_REVIEW, Step.CREDIT_CHECK
    if standing and random.random() < 0.08:
        return
    if not standing and random.random() < 0.0006:  # a bureau's answer broke the workflow
        course.status, course.ended_at = Status.NEEDS_ATTENTION, at
        return
    course.assessment = _judged(random, terms, course)
    if course.assessment.outcome == Outcome.DECLINE:
        course.step = Step.RISK_ASSESSMENT
        _end(course, Status.DECLINED, at)
        return
    if course.assessment.outcome == Outcome.REFER:
        stands_at = random.choice(REFERRED) if standing else None
        for row in REFERRED:
            longest = left * 0.6 / len(REFERRED)
            thought = min(longest, timedelta(hours=random.expovariate(1 / 9)))
            course.step = row.step
            if row is stands_at:
                course.status, course.asked[row.kind] = row.status, Asked(TaskStatus.OPEN, at)
                return
            if standing:
                course.asked[row.kind] = _answered(Outcome.APPROVE, at, thought)
            elif not _approved(random, terms, course, row.kind, at=at, thought=thought):
                return
            at += thought
    if standing:
        course.step = Step.FRAUD_CHECK
    else:
        _fund(random, course, at, left)


def _fund(random: Random, course: Course, at: datetime, left: timedelta) -> None:
    """From the fraud check to the payout."""
    course.step = Step.FRAUD_CHECK
    if random.random() < 0.02 and not _cleared(random, course, at, left * 0.1):
        return
    at += left * (0.1 + 0.1 * random.random())
    course.step, course.status, course.offered_at = Step.GENERATING_OFFER, Status.APPROVED, at
    shortly = min(left * 0.1, timedelta(seconds=random.uniform(5, 60)))
    if random.random() < 0.05:
        _end(course, Status.WITHDRAWN, at + shortly)
        return
    course.step, course.paid = Step.COMPLETE, True
    _end(course, Status.FUNDED, at + shortly)


def _judged(random: Random, terms: Terms, course: Course) -> Assessment:
    """Three reports that are about alike, and what the policy says to them."""
    quality = random.gauss(690, 70)
    marks = sum(random.random() < (700 - quality) / 300 for _ in range(3)) if quality < 700 else 0
    missing = [random.choice(list(Bureau))] if random.random() < 0.01 else []
    for bureau in Bureau:
        if bureau not in missing:
            score = round(min(max(random.gauss(quality, 8), 300), 900))
            course.reports[bureau] = Report(score, marks)
    if quality < 670:  # who has little credit asks for less
        course.amount = min(course.amount, Decimal(random.randrange(1_000, 40_001, 500)))
    return assess(
        rules=terms.rules,
        loan_amount=course.amount,
        currency=CURRENCY,
        annual_income=course.income,
        reports=tuple(course.reports.values()),
        missing_bureaus=tuple(bureau.label for bureau in missing),
    )


def _approved(
    random: Random,
    terms: Terms,
    course: Course,
    kind: TaskKind,
    *,
    at: datetime,
    thought: timedelta,
) -> bool:
    """What became of a referral; true when the application goes on."""
    expired_at = at + terms.waits[kind]
    chance = random.random()
    if chance < 0.1 and expired_at < terms.now:
        course.asked[kind] = Asked(TaskStatus.EXPIRED, at, expired_at)
        _end(course, Status.EXPIRED, expired_at)
        return False
    if chance < 0.16:
        course.asked[kind] = Asked(TaskStatus.CANCELLED, at, at + thought)
        _end(course, Status.WITHDRAWN, at + thought)
        return False
    outcome = Outcome.DECLINE if chance < 0.34 else Outcome.APPROVE
    course.asked[kind] = _answered(outcome, at, thought)
    if outcome == Outcome.DECLINE:
        _end(course, Status.DECLINED, at + thought)
    return outcome == Outcome.APPROVE


def _cleared(random: Random, course: Course, at: datetime, thought: timedelta) -> bool:
    """What the risk analyst said to a flag of the fraud check; true when the case goes on."""
    outcome = Outcome.DECLINE if random.random() < 0.4 else Outcome.APPROVE
    course.asked[TaskKind.FRAUD_REVIEW] = _answered(outcome, at, thought)
    if outcome == Outcome.DECLINE:
        _end(course, Status.DECLINED, at + thought)
    return outcome == Outcome.APPROVE


def _answered(outcome: Outcome, at: datetime, thought: timedelta) -> Asked:
    return Asked(TaskStatus.DECIDED, at, at + thought, outcome)


def _end(course: Course, status: Status, at: datetime) -> None:
    course.status, course.ended_at = status, at
