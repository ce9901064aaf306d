"""Assess an application: tier, rate, outcome and reasons from policy and credit reports. Pure.

The rules are those of ``LendingPolicy`` (version 1 is seeded by a migration); nothing
here depends on an applicant, a bureau's name or a demo profile.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import NamedTuple

from lending.amortisation import EVEN, TermsTooSmall, monthly_payment, schedule, worst_residue
from lending.choices import Outcome, ReasonCode, Tier

# The monthly payment that the assessment assumes: 5 % of the amount. An estimate for the
# debt-to-income ratio only; the offer has the real payment.
ESTIMATED_PAYMENT_SHARE = Decimal("0.05")
# A yearly income below it makes no sense, and the share of it that a loan takes no number.
SMALLEST_INCOME = Decimal("1.00")
# The terms that can be asked for, in months.
SHORTEST_TERM, LONGEST_TERM = 6, 360
# The bounds of a bureau's report: anything else is no report.
LOWEST_SCORE, HIGHEST_SCORE = 300, 900
MOST_MARKS = 9_999


class TierRule(NamedTuple):
    tier: Tier
    minimum_score: int
    requires_clean_record: bool
    annual_rate: Decimal
    largest_amount: Decimal


class PolicyRules(NamedTuple):
    """The rules of a policy version, as values. ``tiers`` are ordered best first."""

    version: int
    approval_threshold: Decimal
    smallest_instalment: Decimal
    maximum_debt_to_income: Decimal | None
    tiers: tuple[TierRule, ...]


@dataclass(frozen=True)
class Report:
    """One bureau's score and number of derogatory marks.

    Raises ``ValueError`` outside of the bounds of a report.
    """

    score: int
    derogatory_marks: int

    def __post_init__(self) -> None:
        if not LOWEST_SCORE <= self.score <= HIGHEST_SCORE:
            raise ValueError(f"the score is not from {LOWEST_SCORE} to {HIGHEST_SCORE}")
        if not 0 <= self.derogatory_marks <= MOST_MARKS:
            raise ValueError(f"the number of marks is not from 0 to {MOST_MARKS}")


class Reason(NamedTuple):
    code: ReasonCode
    detail: str = ""

    @property
    def text(self) -> str:
        return f"{self.code.label} {self.detail}".strip()

    def as_json(self) -> dict[str, str]:
        return {"code": self.code.value, "text": self.text}


class Assessment(NamedTuple):
    average_score: int  # rounded half up; the tier is that of the exact mean
    score_sum: int
    score_count: int
    derogatory_marks: int
    tier: Tier
    annual_rate: Decimal
    debt_to_income: Decimal | None
    outcome: Outcome
    reasons: tuple[Reason, ...]


def debt_to_income(*, loan_amount: Decimal, annual_income: Decimal | None) -> Decimal | None:
    """Compute the estimated monthly payment over monthly income, in percent with two decimals."""
    return share_of_income(
        payment=loan_amount * ESTIMATED_PAYMENT_SHARE, annual_income=annual_income
    )


def share_of_income(*, payment: Decimal, annual_income: Decimal | None) -> Decimal | None:
    """Compute a monthly payment over monthly income, in percent with two decimals."""
    if not annual_income:
        return None
    ratio = payment / (annual_income / 12) * 100
    return ratio.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def average_score(reports: tuple[Report, ...]) -> int:
    """Compute the mean of the scores, rounded half up. Raises ``ValueError`` without a report."""
    return int(mean_score(reports) + Fraction(1, 2))


def mean_score(reports: tuple[Report, ...]) -> Fraction:
    """Compute the exact mean of the scores. Raises ``ValueError`` without a report."""
    if not reports:
        raise ValueError("an average needs at least one report")
    return Fraction(sum(report.score for report in reports), len(reports))


def mean_in_words(*, score_sum: int, score_count: int) -> str:
    """Show a mean with two decimals, as in ``739.67``, or as the whole number that it is.

    Of fewer than a hundred scores no mean below a bound is shown as the bound.
    """
    mean = Decimal(score_sum) / score_count
    if mean == int(mean):
        return f"{int(mean)}"
    return f"{mean.quantize(Decimal('0.01'), rounding=ROUND_HALF_UP)}"


def tier_for(*, rules: PolicyRules, score: int | Fraction, derogatory_marks: int) -> TierRule:
    """Return the best tier whose conditions the score and the marks meet, else the last tier.

    The score is the exact mean: 739.67 is not 740.
    """
    for rule in rules.tiers:
        if score >= rule.minimum_score and not (rule.requires_clean_record and derogatory_marks):
            return rule
    return rules.tiers[-1]


def instalment_problem(
    *,
    smallest: Decimal,
    loan_amount: Decimal,
    annual_rate: Decimal,
    term_months: int,
    currency: str,
) -> str:
    """Return why a loan cannot be repaid in equal instalments; empty when it can.

    It cannot when they are smaller than the policy's smallest, or when the last one, which absorbs
    the rounding, would differ from the others by more than 5 %.
    """
    payment = monthly_payment(
        principal=loan_amount, annual_rate=annual_rate, term_months=term_months
    )
    if payment < smallest:
        return (
            f"{term_months} monthly instalments would be {payment:,.2f} {currency} each; the "
            f"smallest is {smallest:,.2f} {currency}. A shorter term has larger ones."
        )
    if worst_residue(annual_rate=annual_rate, term_months=term_months) * EVEN <= payment:
        return ""  # whatever the rounding does, so the schedule need not be computed
    try:
        plan = schedule(principal=loan_amount, annual_rate=annual_rate, term_months=term_months)
    except TermsTooSmall:
        last = Decimal("0.00")
    else:
        if plan.is_even:
            return ""
        last = plan.last_payment
    return (
        f"The last of {term_months} monthly instalments would be {last:,.2f} {currency}, the "
        f"others {payment:,.2f} {currency}. A shorter term has more equal ones."
    )


def assess(
    *,
    rules: PolicyRules,
    loan_amount: Decimal,
    term_months: int,
    currency: str,
    annual_income: Decimal | None,
    reports: tuple[Report, ...],
    missing_bureaus: tuple[str, ...] = (),
) -> Assessment:
    """Assess one application.

    The application is referred when a bureau did not answer, whatever the other reports say,
    so that a person sees that a report is missing. Only an amount that is too small for its term
    is declined all the same: no person can offer it either. Raises ``ValueError`` when no bureau
    answered at all.
    """
    mean = mean_score(reports)
    score_sum, score_count = sum(report.score for report in reports), len(reports)
    marks = sum(report.derogatory_marks for report in reports)
    rule = tier_for(rules=rules, score=mean, derogatory_marks=marks)
    ratio = debt_to_income(loan_amount=loan_amount, annual_income=annual_income)

    against: list[Reason] = []
    if rule.largest_amount == 0:
        shown = mean_in_words(score_sum=score_sum, score_count=score_count)
        against.append(Reason(ReasonCode.SCORE_TOO_LOW, f"The average is {shown}."))
        if marks:
            against.append(Reason(ReasonCode.DEROGATORY_MARKS, f"There are {marks}."))
    elif loan_amount > rule.largest_amount:
        against.append(
            Reason(
                ReasonCode.AMOUNT_ABOVE_TIER_LIMIT,
                f"{rule.tier.label} borrows up to {rule.largest_amount:,.2f} {currency}.",
            )
        )
    limit = rules.maximum_debt_to_income
    if limit is not None and ratio is not None and ratio > limit:
        against.append(
            # Without the share itself: with the amount beside it, it is the income.
            Reason(ReasonCode.DEBT_TO_INCOME_TOO_HIGH, f"The limit is {limit} % of the income.")
        )

    refer: list[Reason] = []
    if missing_bureaus:
        refer.append(
            Reason(ReasonCode.BUREAU_UNAVAILABLE, f"Missing: {', '.join(missing_bureaus)}.")
        )
    if annual_income is None:
        refer.append(Reason(ReasonCode.INCOME_NOT_STATED))
    if loan_amount >= rules.approval_threshold:
        refer.append(
            Reason(
                ReasonCode.AMOUNT_AT_THRESHOLD,
                f"The threshold is {rules.approval_threshold:,.2f} {currency}.",
            )
        )

    if against and not missing_bureaus:
        outcome, reasons = Outcome.DECLINE, against
    elif why := instalment_problem(
        smallest=rules.smallest_instalment,
        loan_amount=loan_amount,
        annual_rate=rule.annual_rate,
        term_months=term_months,
        currency=currency,
    ):
        outcome, reasons = Outcome.DECLINE, [Reason(ReasonCode.INSTALMENT_TOO_SMALL, why), *against]
    elif refer:
        outcome, reasons = Outcome.REFER, [*refer, *against]
    else:
        outcome, reasons = Outcome.APPROVE, []
    return Assessment(
        average_score=average_score(reports),
        score_sum=score_sum,
        score_count=score_count,
        derogatory_marks=marks,
        tier=rule.tier,
        annual_rate=rule.annual_rate,
        debt_to_income=ratio,
        outcome=outcome,
        reasons=tuple(reasons),
    )
