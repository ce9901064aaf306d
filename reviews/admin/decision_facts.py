"""Read what the page of one decision shows: figures beside the policy's limits, and bureaus."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from applications.choices import BUREAU_ATTEMPTS, Bureau
from applications.models import CreditReport, LoanApplication, RiskAssessment
from applications.pii import debt_to_income_band
from core.admin.display import money
from lending.choices import Tier
from lending.services import policy_published, policy_rules
from lending.underwriting import PolicyRules, TierRule
from reviews.admin.figures import Figures

GOOD, BAD, DOUBTFUL, NEITHER = "good", "bad", "wait", "quiet"


@dataclass(frozen=True)
class Fact:
    """One figure, and how it stands to its limit: in words, and with the tone of a badge."""

    name: str
    value: str
    limit: str = ""
    tone: str = NEITHER


@dataclass(frozen=True)
class BureauLine:
    """The answer of one bureau, or that there was none after so many tries."""

    bureau: str
    report: CreditReport | None
    tries: int = BUREAU_ATTEMPTS


def facts(application: LoanApplication, known: Figures, *, income_shown: bool) -> tuple[Fact, ...]:
    """Return the figures that the policy judges; empty without an assessment."""
    if known.assessment is None or known.instalment is None:
        return ()
    rules = policy_rules(policy_published(known.assessment.policy_id))
    rule = next(each for each in rules.tiers if each.tier == known.assessment.tier)
    instalment = money(known.instalment, application.currency)
    term = f"{application.term_months} months at {known.assessment.annual_rate} %"
    return (
        Fact(
            "Amount",
            money(application.loan_amount, application.currency),
            *_amount_limit(application, rule),
        ),
        Fact("Monthly instalment", instalment, f"over {term}"),
        Fact("Instalment to income", known.share.removesuffix(" of income")),
        _estimate(known.assessment, rules, income_shown=income_shown),
        Fact("Tier and average score", f"{known.tier}, {known.score}", *_score_limit(rules, rule)),
        Fact(
            "Derogatory marks",
            f"{known.assessment.derogatory_marks}",
            *_marks_limit(known.assessment, rules),
        ),
    )


def bureau_lines(
    application: LoanApplication, assessment: RiskAssessment | None
) -> tuple[BureauLine, ...]:
    """Return one line for each bureau that was asked last, also for one that did not answer."""
    reports = list(application.credit_reports.all())
    last = max((report.attempt for report in reports), default=0)
    found = {report.bureau: report for report in reports if report.attempt == last}
    missing = assessment.missing_bureaus if assessment is not None else []
    return tuple(
        BureauLine(bureau.label, found.get(bureau.value))
        for bureau in Bureau
        if bureau.value in found or bureau.value in missing
    )


def _amount_limit(application: LoanApplication, rule: TierRule) -> Iterator[str]:
    largest = f"{rule.largest_amount:,.2f} {application.currency}"
    tier = Tier(rule.tier).label
    if not rule.largest_amount:
        yield from (f"the policy lends nothing at {tier}", BAD)
    elif application.loan_amount > rule.largest_amount:
        yield from (f"over the largest loan of {tier}, {largest}", BAD)
    else:
        yield from (f"within the largest loan of {tier}, {largest}", GOOD)


def _estimate(assessment: RiskAssessment, rules: PolicyRules, *, income_shown: bool) -> Fact:
    """Return the share of income that the policy limits: of an estimated payment."""
    ratio, limit = assessment.debt_to_income, rules.maximum_debt_to_income
    name = "Estimated payment to income"
    value = f"{ratio} %" if income_shown and ratio is not None else debt_to_income_band(ratio)
    if limit is None:
        return Fact(name, value, "the policy has no limit")
    if ratio is None:
        return Fact(name, value, f"the policy's limit is {_percent(limit)}", DOUBTFUL)
    if ratio > limit:
        return Fact(name, value, f"over the policy's {_percent(limit)}", BAD)
    return Fact(name, value, f"within the policy's {_percent(limit)}", GOOD)


def _score_limit(rules: PolicyRules, rule: TierRule) -> Iterator[str]:
    if rule.largest_amount:
        yield from (f"at or over the {rule.minimum_score} of {Tier(rule.tier).label}", GOOD)
        return
    lent_to = [each for each in rules.tiers if each.largest_amount]
    if lent_to:
        lowest = lent_to[-1]
        yield f"below the {lowest.minimum_score} of {Tier(lowest.tier).label}, the lowest lent to"
        yield BAD


def _marks_limit(assessment: RiskAssessment, rules: PolicyRules) -> Iterator[str]:
    strict = [Tier(each.tier).label for each in rules.tiers if each.requires_clean_record]
    if not assessment.derogatory_marks:
        yield from ("a clean record", GOOD)
    elif strict:
        yield from (f"{' and '.join(strict)} needs a clean record", DOUBTFUL)


def _percent(limit: Decimal) -> str:
    return f"{limit.normalize():f} %"
