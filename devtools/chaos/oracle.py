"""Predict the outcome of an application by lending policy version 1, independently.

Written from the table of the policy and from the profiles of the simulated bureaus, never
from the code that decides. If the two disagree, one of them is wrong, and the invariants
report it. Imports the shared choices and the simulator's profiles, nothing else.
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
    """An approval by people that the application needs to continue."""

    kind: TaskKind
    approvals: int
    above_ceiling: bool = False


@dataclass(frozen=True)
class ExpectedPath:
    """The expected result of an application that nobody withdraws."""

    declined: bool  # by the policy alone
    annual_rate: Decimal
    asks: tuple[Ask, ...] = ()


def expected_path_of(*, sin_last4: str, amount: Decimal) -> ExpectedPath:
    """Return the expected path of a demo profile with a stated income. Raises ``KeyError``."""
    profile = SIMULATED_PROFILES[sin_last4]
    scores = [row[sin_last4] for bureau, row in SCORES.items() if bureau not in profile.down]
    mean = (2 * sum(scores) + len(scores)) // (2 * len(scores))  # half up
    tier = next(
        tier
        for tier in TIERS
        if mean >= tier.minimum_score and not (tier.clean_record and profile.marks)
    )
    if amount > tier.largest_amount and not profile.down:
        return ExpectedPath(declined=True, annual_rate=tier.annual_rate)
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
    return ExpectedPath(declined=False, annual_rate=tier.annual_rate, asks=tuple(asks))


def instalment(*, amount: Decimal, annual_rate: Decimal) -> Decimal:
    """Compute ``P*i / (1-(1+i)^-n)`` with ``i = annual % / 1200``, half-up cents."""
    i = annual_rate / 1200
    monthly = amount * i / (1 - (1 + i) ** -TERM_MONTHS)
    return monthly.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
