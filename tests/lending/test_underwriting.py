from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lending.amortisation import TermsTooSmall, schedule
from lending.choices import Outcome, ReasonCode, Tier
from lending.underwriting import (
    PolicyRules,
    Report,
    TierRule,
    assess,
    average_score,
    debt_to_income,
    mean_in_words,
    tier_for,
)

RULES = PolicyRules(
    version=1,
    approval_threshold=Decimal(100000),
    smallest_instalment=Decimal(15),
    maximum_debt_to_income=None,
    tiers=(
        TierRule(Tier.PRIME, 740, True, Decimal("5.25"), Decimal(1000000)),
        TierRule(Tier.NEAR_PRIME, 670, False, Decimal("7.50"), Decimal(250000)),
        TierRule(Tier.SUBPRIME, 580, False, Decimal("11.00"), Decimal(25000)),
        TierRule(Tier.DEEP_SUBPRIME, 0, False, Decimal("15.00"), Decimal(0)),
    ),
)


def judge(
    amount: str,
    *scores: int,
    marks: int = 0,
    missing: tuple[str, ...] = (),
    income: str | None = "85000",
    rules: PolicyRules = RULES,
    months: int = 60,
) -> tuple[Outcome, list[ReasonCode]]:
    found = assess(
        rules=rules,
        loan_amount=Decimal(amount),
        term_months=months,
        currency="CAD",
        annual_income=None if income is None else Decimal(income),
        reports=tuple(Report(score, marks) for score in scores),
        missing_bureaus=missing,
    )
    return found.outcome, [reason.code for reason in found.reasons]


@pytest.mark.parametrize(
    ("score", "marks", "tier"),
    [
        (740, 0, Tier.PRIME),
        (900, 1, Tier.NEAR_PRIME),
        (739, 0, Tier.NEAR_PRIME),
        (670, 3, Tier.NEAR_PRIME),
        (669, 0, Tier.SUBPRIME),
        (580, 0, Tier.SUBPRIME),
        (579, 0, Tier.DEEP_SUBPRIME),
        (300, 9, Tier.DEEP_SUBPRIME),
    ],
)
def test_tier_by_score_and_record(score: int, marks: int, tier: Tier) -> None:
    assert tier_for(rules=RULES, score=score, derogatory_marks=marks).tier == tier


@pytest.mark.parametrize(
    ("amount", "score", "outcome", "reasons"),
    [
        ("99999.99", 780, Outcome.APPROVE, []),
        ("100000.00", 780, Outcome.REFER, [ReasonCode.AMOUNT_AT_THRESHOLD]),
        ("1000000.01", 780, Outcome.DECLINE, [ReasonCode.AMOUNT_ABOVE_TIER_LIMIT]),
        ("25000.00", 640, Outcome.APPROVE, []),
        ("25000.01", 640, Outcome.DECLINE, [ReasonCode.AMOUNT_ABOVE_TIER_LIMIT]),
        ("1.00", 540, Outcome.DECLINE, [ReasonCode.SCORE_TOO_LOW]),
    ],
)
def test_outcome_at_each_edge(
    amount: str, score: int, outcome: Outcome, reasons: list[ReasonCode]
) -> None:
    assert judge(amount, score, score, score) == (outcome, reasons)


def test_marks_are_named_beside_a_low_score() -> None:
    assert judge("50000", 538, 545, 541, marks=1) == (
        Outcome.DECLINE,
        [ReasonCode.SCORE_TOO_LOW, ReasonCode.DEROGATORY_MARKS],
    )


def test_missing_bureau_refers_even_what_would_be_approved_or_declined() -> None:
    assert judge("30000", 700, 700, missing=("Experian",)) == (
        Outcome.REFER,
        [ReasonCode.BUREAU_UNAVAILABLE],
    )
    assert judge("30000", 500, 500, missing=("Experian",)) == (
        Outcome.REFER,
        [ReasonCode.BUREAU_UNAVAILABLE, ReasonCode.SCORE_TOO_LOW],
    )


def test_unstated_income_refers() -> None:
    assert judge("5000", 700, 700, 700, income=None) == (
        Outcome.REFER,
        [ReasonCode.INCOME_NOT_STATED],
    )


def test_debt_to_income_declines_only_where_the_policy_has_a_limit() -> None:
    # 60,000 * 5 % = 3,000 a month of 7,083.33: 42.35 %
    assert debt_to_income(loan_amount=Decimal(60000), annual_income=Decimal(85000)) == Decimal(
        "42.35"
    )
    limited = RULES._replace(maximum_debt_to_income=Decimal("42.34"))
    assert judge("60000", 700, 700, 700) == (Outcome.APPROVE, [])
    assert judge("60000", 700, 700, 700, rules=limited) == (
        Outcome.DECLINE,
        [ReasonCode.DEBT_TO_INCOME_TOO_HIGH],
    )


DEEP_LENDS = RULES._replace(
    tiers=(*RULES.tiers[:-1], RULES.tiers[-1]._replace(largest_amount=Decimal(25000)))
)


@pytest.mark.parametrize(
    ("amount", "score", "months", "detail"),
    [
        (
            "1000.00",
            540,
            360,
            "360 monthly instalments would be 12.64 CAD each; the smallest is 15.00 CAD. "
            "A shorter term has larger ones.",
        ),
        (
            "2000.00",
            540,
            360,
            "The last of 360 monthly instalments would be 18.78 CAD, the others 25.29 CAD. "
            "A shorter term has more equal ones.",
        ),
    ],
)
def test_loan_too_small_for_its_term_is_declined_also_where_a_bureau_is_missing(
    amount: str, score: int, months: int, detail: str
) -> None:
    for missing in ((), ("Experian",)):
        found = assess(
            rules=DEEP_LENDS,
            loan_amount=Decimal(amount),
            term_months=months,
            currency="CAD",
            annual_income=Decimal(85000),
            reports=(Report(score, 0), Report(score, 0)),
            missing_bureaus=missing,
        )
        assert found.outcome == Outcome.DECLINE
        assert [reason.as_json() for reason in found.reasons] == [
            {
                "code": "INSTALMENT_TOO_SMALL",
                "text": f"The amount is too small for the term. {detail}",
            }
        ]


def test_same_loan_over_a_shorter_term_is_approved() -> None:
    assert judge("1000.00", 540, months=60, rules=DEEP_LENDS) == (Outcome.APPROVE, [])
    assert judge("20000.00", 540, months=360, rules=DEEP_LENDS) == (Outcome.APPROVE, [])


@settings(max_examples=60)
@given(
    amount=st.decimals("0.01", "25000.00", places=2),
    rate=st.decimals(0, 60, places=2),
    months=st.integers(6, 360),
)
@example(amount=Decimal("10.00"), rate=Decimal(0), months=360)  # paid off before the last month
def test_whatever_is_approved_is_repaid_in_equal_instalments(
    amount: Decimal, rate: Decimal, months: int
) -> None:
    tiers = (RULES.tiers[0]._replace(annual_rate=rate),)
    rules = RULES._replace(tiers=tiers, smallest_instalment=Decimal("0.01"))

    outcome, reasons = judge(str(amount), 780, months=months, rules=rules)

    try:
        plan = schedule(principal=amount, annual_rate=rate, term_months=months)
    except TermsTooSmall:
        is_even = False
    else:
        is_even = plan.is_even
        assert min(line.payment for line in plan.lines) > 0
    assert outcome == (Outcome.APPROVE if is_even else Outcome.DECLINE)
    assert reasons == ([] if is_even else [ReasonCode.INSTALMENT_TOO_SMALL])


def test_reason_of_a_high_share_of_income_does_not_tell_the_share() -> None:
    limited = RULES._replace(maximum_debt_to_income=Decimal(40))

    [reason] = assess(
        rules=limited,
        loan_amount=Decimal(60000),
        term_months=60,
        currency="CAD",
        annual_income=Decimal(85000),
        reports=(Report(700, 0),),
    ).reasons

    assert reason.text.endswith("The limit is 40 % of the income.")
    assert "42" not in reason.text


@pytest.mark.parametrize(
    ("scores", "tier", "average"),
    [
        ((739, 740, 740), Tier.NEAR_PRIME, 740),  # 739.67 is not 740
        ((740, 740, 740), Tier.PRIME, 740),
        ((739, 740, 741), Tier.PRIME, 740),
        ((739, 740), Tier.NEAR_PRIME, 740),
        ((669, 670, 670), Tier.SUBPRIME, 670),
        ((579, 580, 580), Tier.DEEP_SUBPRIME, 580),
    ],
)
def test_tier_is_that_of_the_exact_mean(scores: tuple[int, ...], tier: Tier, average: int) -> None:
    found = assess(
        rules=RULES,
        loan_amount=Decimal(5000),
        term_months=60,
        currency="CAD",
        annual_income=Decimal(85000),
        reports=tuple(Report(score, 0) for score in scores),
    )
    assert (found.tier, found.average_score) == (tier, average)
    assert (found.score_sum, found.score_count) == (sum(scores), len(scores))


def test_score_that_is_too_low_is_named_as_it_was_compared() -> None:
    found = assess(
        rules=RULES,
        loan_amount=Decimal(5000),
        term_months=60,
        currency="CAD",
        annual_income=Decimal(85000),
        reports=(Report(579, 0), Report(580, 0), Report(580, 0)),
    )
    assert found.outcome == Outcome.DECLINE
    assert found.reasons[0].text.endswith("The average is 579.67.")


@pytest.mark.parametrize(
    ("score_sum", "score_count", "shown"),
    [
        (2219, 3, "739.67"),
        (2220, 3, "740"),
        (1479, 2, "739.50"),
        (2221, 3, "740.33"),
        (700, 1, "700"),
    ],
)
def test_mean_is_shown_with_its_decimals(score_sum: int, score_count: int, shown: str) -> None:
    assert mean_in_words(score_sum=score_sum, score_count=score_count) == shown


def test_average_rounds_half_up_and_needs_a_report() -> None:
    assert average_score((Report(700, 0), Report(701, 0))) == 701
    with pytest.raises(ValueError, match="at least one report"):
        average_score(())
