"""Draw the history of one made-up application: random input, decided by the lending policy.

Pure: values in, a ``History`` out. ``batch`` writes its rows.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from random import Random

from accounts.roles import Role
from applications.choices import Bureau, Purpose, Status, Step
from devtools.seeding.people import PARTNERS, Person, person
from lending.choices import Outcome
from lending.underwriting import Assessment, PolicyRules, Report, assess
from reviews.choices import TaskKind, TaskStatus
from reviews.kinds import REFERRED_KINDS, REVIEW_KINDS

CURRENCY = "CAD"
TERMS = (12, 24, 36, 48, 60, 60, 60, 72, 84)
PARTNER_SHARES = [1 / (place + 1) for place in range(len(PARTNERS))]
LARGEST = 1_000_000
REFERRED = tuple(REVIEW_KINDS[kind] for kind in REFERRED_KINDS)


class TargetState(Enum):
    """The state that an application is to reach."""

    CLOSED = auto()  # or a draft, or needs attention: no execution is left
    SUBMITTED = auto()  # its start is in the outbox: an engine runs it from there
    STANDING = auto()  # its rows say that it is running, but no engine knows it


@dataclass(frozen=True)
class Terms:
    """Parameters of the draw. ``now`` is when the last history may have ended."""

    now: datetime
    days: float
    rules: PolicyRules
    ceilings: Mapping[Role, Decimal | None]
    waits: Mapping[TaskKind, timedelta]  # how long a task of the kind stays open


@dataclass
class TaskHistory:
    """A review task and its result; ``None`` while nobody has decided."""

    status: TaskStatus
    opened_at: datetime
    closed_at: datetime | None = None
    outcome: Outcome | None = None


@dataclass
class History:
    person: Person
    amount: Decimal
    income: Decimal | None
    purpose: Purpose
    term_months: int
    partner: int | None  # its index in ``PARTNERS``; ``None``: entered by staff
    status: Status
    step: Step | None
    created_at: datetime
    submitted_at: datetime | None = None
    validated: bool = False
    reports: dict[Bureau, Report] = field(default_factory=dict)
    assessment: Assessment | None = None
    review: dict[TaskKind, TaskHistory] = field(default_factory=dict)
    offered_at: datetime | None = None
    paid: bool = False
    ended_at: datetime | None = None


def history_draw(random: Random, terms: Terms, *, number: int, target: TargetState) -> History:
    """Draw one application and its history, in the order in which it would have happened."""
    age = timedelta(days=random.uniform(0.05, terms.days))
    if target is TargetState.STANDING:  # no older than a task may wait
        age = min(age, min(terms.waits.values()) * random.uniform(0.01, 0.8))
    elif target is TargetState.SUBMITTED:
        age = timedelta(minutes=random.uniform(1, 30))
    larger = target is not TargetState.CLOSED
    history = _draw_application(random, number, terms.now - age, larger=larger)
    if target is TargetState.CLOSED and random.random() < 0.04:
        return history  # a draft
    history.status, history.step = Status.SUBMITTED, Step.SUBMITTED
    history.submitted_at = history.created_at + age * random.uniform(0.001, 0.01)
    if target is TargetState.SUBMITTED:
        return history
    _draw_workflow(random, terms, history, standing=target is TargetState.STANDING)
    return history


def _draw_application(random: Random, number: int, at: datetime, *, larger: bool) -> History:
    income = random.lognormvariate(math.log(78_000), 0.45)
    amount = random.lognormvariate(math.log(160_000 if larger else 36_000), 1.0)
    rounded = int(min(max(amount, 1_000), LARGEST) // 500 * 500)
    by_partner = random.random() < 0.65
    return History(
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


def _draw_workflow(random: Random, terms: Terms, history: History, *, standing: bool) -> None:
    """From the first step to where it stands or ended."""
    if history.submitted_at is None:
        raise ValueError("a draft has no workflow")
    left = terms.now - history.submitted_at
    shortly = min(left * 0.1, timedelta(seconds=random.uniform(5, 60)))
    at = history.submitted_at + shortly
    history.validated, history.status, history.step = True, Status.IN_REVIEW, Step.CREDIT_CHECK
    if standing and random.random() < 0.08:
        return
    if not standing and random.random() < 0.0006:  # a bureau's answer broke the workflow
        history.status, history.ended_at = Status.NEEDS_ATTENTION, at
        return
    history.assessment = _draw_assessment(random, terms, history)
    if history.assessment.outcome == Outcome.DECLINE:
        history.step = Step.RISK_ASSESSMENT
        _end(history, Status.DECLINED, at)
        return
    if history.assessment.outcome == Outcome.REFER:
        stands_at = random.choice(REFERRED) if standing else None
        for row in REFERRED:
            longest = left * 0.6 / len(REFERRED)
            delay = min(longest, timedelta(hours=random.expovariate(1 / 9)))
            history.step = row.step
            if row is stands_at:
                history.status, history.review[row.kind] = (
                    row.status,
                    TaskHistory(TaskStatus.OPEN, at),
                )
                return
            if standing:
                history.review[row.kind] = _answered(Outcome.APPROVE, at, delay)
            elif not _draw_approval(random, terms, history, row.kind, at=at, delay=delay):
                return
            at += delay
    if standing:
        history.step = Step.FRAUD_CHECK
    else:
        _draw_funding(random, history, at, left)


def _draw_funding(random: Random, history: History, at: datetime, left: timedelta) -> None:
    """From the fraud check to the payout."""
    history.step = Step.FRAUD_CHECK
    if random.random() < 0.02 and not _draw_fraud_review(random, history, at, left * 0.1):
        return
    at += left * (0.1 + 0.1 * random.random())
    history.step, history.status, history.offered_at = Step.GENERATING_OFFER, Status.APPROVED, at
    shortly = min(left * 0.1, timedelta(seconds=random.uniform(5, 60)))
    if random.random() < 0.05:
        _end(history, Status.WITHDRAWN, at + shortly)
        return
    history.step, history.paid = Step.COMPLETE, True
    _end(history, Status.FUNDED, at + shortly)


def _draw_assessment(random: Random, terms: Terms, history: History) -> Assessment:
    """Draw three reports of similar quality and assess them by the policy."""
    quality = random.gauss(690, 70)
    marks = sum(random.random() < (700 - quality) / 300 for _ in range(3)) if quality < 700 else 0
    missing = [random.choice(list(Bureau))] if random.random() < 0.01 else []
    for bureau in Bureau:
        if bureau not in missing:
            score = round(min(max(random.gauss(quality, 8), 300), 900))
            history.reports[bureau] = Report(score, marks)
    if quality < 670:  # applicants with poor credit ask for less
        history.amount = min(history.amount, Decimal(random.randrange(1_000, 40_001, 500)))
    return assess(
        rules=terms.rules,
        loan_amount=history.amount,
        term_months=history.term_months,
        currency=CURRENCY,
        annual_income=history.income,
        reports=tuple(history.reports.values()),
        missing_bureaus=tuple(bureau.label for bureau in missing),
    )


def _draw_approval(
    random: Random,
    terms: Terms,
    history: History,
    kind: TaskKind,
    *,
    at: datetime,
    delay: timedelta,
) -> bool:
    """Draw the manager's decision; true when the application goes on."""
    expired_at = at + terms.waits[kind]
    chance = random.random()
    if chance < 0.1 and expired_at < terms.now:
        history.review[kind] = TaskHistory(TaskStatus.EXPIRED, at, expired_at)
        _end(history, Status.EXPIRED, expired_at)
        return False
    if chance < 0.16:
        history.review[kind] = TaskHistory(TaskStatus.CANCELLED, at, at + delay)
        _end(history, Status.WITHDRAWN, at + delay)
        return False
    outcome = Outcome.DECLINE if chance < 0.34 else Outcome.APPROVE
    history.review[kind] = _answered(outcome, at, delay)
    if outcome == Outcome.DECLINE:
        _end(history, Status.DECLINED, at + delay)
    return outcome == Outcome.APPROVE


def _draw_fraud_review(random: Random, history: History, at: datetime, delay: timedelta) -> bool:
    """Draw the risk analyst's decision; true when the application goes on."""
    outcome = Outcome.DECLINE if random.random() < 0.4 else Outcome.APPROVE
    history.review[TaskKind.FRAUD_REVIEW] = _answered(outcome, at, delay)
    if outcome == Outcome.DECLINE:
        _end(history, Status.DECLINED, at + delay)
    return outcome == Outcome.APPROVE


def _answered(outcome: Outcome, at: datetime, delay: timedelta) -> TaskHistory:
    return TaskHistory(TaskStatus.DECIDED, at, at + delay, outcome)


def _end(history: History, status: Status, at: datetime) -> None:
    history.status, history.ended_at = status, at
