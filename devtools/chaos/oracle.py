"""What must become of an application: the policy as the product's text states it, once more.

Written from the table of lending policy version 1 and from the stories that the simulated
bureaus tell, never from the code that decides. If the two disagree, one of them is wrong,
and the judge says so. Imports the shared words and the simulator's stories, nothing else.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from applications.choices import FraudVerdict
from reviews.choices import TaskKind
from workflows.providers.simulated import SCORES, SIMULATED_PROFILES

APPROVAL_THRESHOLD = Decimal("100000.00")
SECOND_APPROVAL_THRESHOLD = Decimal("500000.00")
MANAGER_CEILING = Decimal("250000.00")
TERM_MONTHS = 60


@dataclass(frozen=True)
class Tier:
    minimum_score: int
    clean_record: bool
    annual_rate: Decimal  # percent
    largest_amount: Decimal


TIERS = (
    Tier(740, clean_record=True, annual_rate=Decimal("5.25"), largest_amount=Decimal(1_000_000)),
    Tier(670, clean_record=False, annual_rate=Decimal("7.50"), largest_amount=Decimal(250_000)),
    Tier(580, clean_record=False, annual_rate=Decimal("11.00"), largest_amount=Decimal(25_000)),
    Tier(0, clean_record=False, annual_rate=Decimal("15.00"), largest_amount=Decimal(0)),
)


@dataclass(frozen=True)
class Ask:
    """People who have to approve before the case goes on."""

    kind: TaskKind
    approvals: int
    above_ceiling: bool = False


@dataclass(frozen=True)
class Course:
    """Where a case goes if nobody withdraws it."""

    declined: bool  # by the policy alone
    annual_rate: Decimal
    asks: tuple[Ask, ...] = ()


def course_of(*, sin_last4: str, amount: Decimal) -> Course:
    """The course of a demo profile's case with a stated income. Raises ``KeyError``."""
    profile = SIMULATED_PROFILES[sin_last4]
    scores = [row[sin_last4] for bureau, row in SCORES.items() if bureau not in profile.down]
    mean = (2 * sum(scores) + len(scores)) // (2 * len(scores))  # half up
    tier = next(
        tier
        for tier in TIERS
        if mean >= tier.minimum_score and not (tier.clean_record and profile.marks)
    )
    if amount > tier.largest_amount and not profile.down:
        return Course(declined=True, annual_rate=tier.annual_rate)
    asks = []
    if amount >= APPROVAL_THRESHOLD or profile.down:
        asks.append(
            Ask(
                TaskKind.MANAGER_APPROVAL,
                approvals=2 if amount >= SECOND_APPROVAL_THRESHOLD else 1,
                above_ceiling=amount > MANAGER_CEILING,
            )
        )
    if profile.fraud == FraudVerdict.FLAGGED:
        asks.append(Ask(TaskKind.FRAUD_REVIEW, approvals=1))
    return Course(declined=False, annual_rate=tier.annual_rate, asks=tuple(asks))


def instalment(*, amount: Decimal, annual_rate: Decimal) -> Decimal:
    """``P*i / (1-(1+i)^-n)`` with ``i = annual % / 1200``, half-up cents."""
    i = annual_rate / 1200
    monthly = amount * i / (1 - (1 + i) ** -TERM_MONTHS)
    return monthly.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
