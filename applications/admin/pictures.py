"""Place a score among the tiers, and a payment beside the income, for small drawings. Pure.

Lengths are those of a box of ``WIDTH`` units. Where the income is not shown, the payment is drawn
as its band; whether it is over the limit, which the reasons say as well, is all that depends on
where in the band it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from applications.pii import BAND_ENDS, debt_to_income_band
from lending.choices import Tier
from lending.underwriting import HIGHEST_SCORE, LOWEST_SCORE, PolicyRules

WIDTH = 300
APART = 22  # units that the number of a boundary needs
SCALES = (40, 80, 160, 200)  # percent, at the right edge
EVERYTHING = Decimal(SCALES[-1])


@dataclass(frozen=True)
class TierShown:
    """The scores of one tier: where they begin, and how the policy treats them."""

    name: str
    minimum: int
    x: float
    width: float
    is_lent_to: bool
    is_here: bool
    has_label: bool


@dataclass(frozen=True)
class ScorePicture:
    """A score among the tiers of a policy, the lowest tier first."""

    score: str
    tier: str
    tiers: tuple[TierShown, ...]
    marker: float

    @property
    def sentence(self) -> str:
        """Say what the drawing shows."""
        named = ", ".join(
            f"{each.name} from {each.minimum}" for each in reversed(self.tiers) if each.minimum
        )
        return f"{self.score} is {self.tier}. {named}."


@dataclass(frozen=True)
class IncomePicture:
    """The estimated payment's share of the monthly income, exact or as a band, and the limit."""

    share: str
    x: float
    width: float
    scale: int
    limit: Decimal | None
    limit_at: float | None
    is_over: bool

    @property
    def sentence(self) -> str:
        """Say what the drawing shows."""
        limit = "the policy has no limit"
        if self.limit is not None:
            limit = f"the policy's limit is {self.limit.normalize():f} %"
        return f"{self.share} of the monthly income; {limit}."


def score_picture(
    *, score_sum: int, score_count: int, score: str, tier: str, rules: PolicyRules
) -> ScorePicture:
    """Draw the exact mean; ``score`` is how it is written, ``tier`` what the rules made of it."""
    return ScorePicture(
        score=score,
        tier=Tier(tier).label,
        tiers=tuple(_tiers(rules, tier)),
        marker=_score_at(score_sum / score_count),
    )


def income_picture(
    *, ratio: Decimal | None, rules: PolicyRules, is_exact: bool
) -> IncomePicture | None:
    """Draw the share in percent; ``None`` where no income was stated."""
    if ratio is None:
        return None
    limit = rules.maximum_debt_to_income
    low, high = _band(ratio)
    # By the band, not by the share.
    scale = next(end for end in SCALES if end >= min(max(high, limit or 0), EVERYTHING))
    begin, end = (Decimal(0), min(ratio, EVERYTHING)) if is_exact else (low, high)
    return IncomePicture(
        share=f"{ratio} %" if is_exact else debt_to_income_band(ratio),
        x=_length(begin, scale),
        width=round(_length(end, scale) - _length(begin, scale), 1),
        scale=scale,
        limit=limit,
        limit_at=None if limit is None or limit > scale else _length(limit, scale),
        is_over=limit is not None and ratio > limit,
    )


def _tiers(rules: PolicyRules, here: str) -> Iterator[TierShown]:
    end, labelled_from = float(WIDTH), float(WIDTH + APART)
    found = []
    for rule in rules.tiers:  # the best first, from the right
        x = _score_at(rule.minimum_score)
        has_label = APART / 2 <= x <= labelled_from - APART
        labelled_from = x if has_label else labelled_from
        found.append(
            TierShown(
                name=Tier(rule.tier).label,
                minimum=rule.minimum_score,
                x=x,
                width=round(end - x, 1),
                is_lent_to=bool(rule.largest_amount),
                is_here=rule.tier == here,
                has_label=has_label,
            )
        )
        end = x
    yield from reversed(found)


def _score_at(score: float) -> float:
    inside = min(max(score, LOWEST_SCORE), HIGHEST_SCORE)
    return round(WIDTH * (inside - LOWEST_SCORE) / (HIGHEST_SCORE - LOWEST_SCORE), 1)


def _band(ratio: Decimal) -> tuple[Decimal, Decimal]:
    """Return the ends of the band of ``debt_to_income_band``."""
    ends = (0, *BAND_ENDS, SCALES[-1])
    above = next((at for at, end in enumerate(ends) if at and ratio <= end), len(ends) - 1)
    return Decimal(ends[above - 1]), Decimal(ends[above])


def _length(percent: Decimal, scale: int) -> float:
    return round(float(WIDTH * percent / scale), 1)
