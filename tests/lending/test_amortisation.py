"""The schedule is right to the cent, compared with exact fractions."""

from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from lending.amortisation import TermsTooSmall, monthly_payment, schedule, worst_residue

RATES = st.one_of(st.decimals(0, 60, places=2), st.decimals(0, "999.99", places=2))


def to_the_cent(exact: Fraction) -> Decimal:
    """Round half up, without a decimal in between."""
    return Decimal(floor(exact * 100 + Fraction(1, 2))) / 100


def exact_payment(principal: Decimal, rate: Decimal, months: int) -> Fraction:
    i = Fraction(rate) / 1200
    return Fraction(principal) * (i / (1 - (1 + i) ** -months) if i else Fraction(1, months))


def test_check_value_of_the_policy() -> None:
    """150,000 at 7.5 % over 60 months: the figures of the product's specification."""
    plan = schedule(principal=Decimal(150000), annual_rate=Decimal("7.50"), term_months=60)
    assert plan.monthly_payment == Decimal("3005.69")
    assert plan.last_payment == Decimal("3005.86")
    assert plan.total_interest == Decimal("30341.57")


def test_half_a_cent_of_interest_is_rounded_up() -> None:
    """3,000 * 34.99 % / 12 is 87.475; the rate divided first is a little less than that."""
    plan = schedule(principal=Decimal(3000), annual_rate=Decimal("34.99"), term_months=36)
    assert plan.lines[0].interest == Decimal("87.48")


def test_half_a_cent_of_an_instalment_is_rounded_up() -> None:
    payment = monthly_payment(principal=Decimal(3000), annual_rate=Decimal("34.99"), term_months=1)
    assert payment == Decimal("3087.48")


def test_zero_rate_divides_evenly_and_the_last_instalment_takes_the_cents() -> None:
    plan = schedule(principal=Decimal(100), annual_rate=Decimal(0), term_months=3)
    assert [line.payment for line in plan.lines] == [
        Decimal("33.33"),
        Decimal("33.33"),
        Decimal("33.34"),
    ]
    assert plan.total_interest == 0


def test_small_loan_over_a_long_term_ends_with_another_instalment() -> None:
    """1,000 at 15 % over 360 months: why a policy has a smallest instalment."""
    plan = schedule(principal=Decimal(1000), annual_rate=Decimal(15), term_months=360)
    assert (plan.monthly_payment, plan.last_payment) == (Decimal("12.64"), Decimal("43.65"))
    assert not plan.is_even


@pytest.mark.parametrize(
    ("principal", "rate", "months"),
    [("0", "5", 12), ("-1", "5", 12), ("1", "-5", 12), ("1", "5", 0)],
)
def test_senseless_terms_are_refused(principal: str, rate: str, months: int) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        monthly_payment(principal=Decimal(principal), annual_rate=Decimal(rate), term_months=months)


@pytest.mark.parametrize(
    ("principal", "rate", "months"),
    [
        ("0.01", "5", 12),  # less than a cent a month
        ("1.00", "0", 201),  # 0.00 at half up
        ("10.00", "0", 360),  # 0.03 a month pays it off after 334 months
    ],
)
def test_instalment_of_nothing_is_refused(principal: str, rate: str, months: int) -> None:
    with pytest.raises(TermsTooSmall, match=f"too little for {months} monthly instalments"):
        schedule(principal=Decimal(principal), annual_rate=Decimal(rate), term_months=months)


@settings(max_examples=40)
@given(
    principal=st.decimals("0.01", "9999999999.99", places=2),
    rate=RATES,
    months=st.integers(1, 360),
)
@example(principal=Decimal(3000), rate=Decimal("34.99"), months=1)
@example(principal=Decimal(3000), rate=Decimal("34.99"), months=36)
@example(principal=Decimal("9999999999.99"), rate=Decimal("999.99"), months=360)
@example(principal=Decimal("9999999999.99"), rate=Decimal("0.01"), months=360)
def test_every_figure_is_the_exact_one_rounded_half_up(
    principal: Decimal, rate: Decimal, months: int
) -> None:
    payment = to_the_cent(exact_payment(principal, rate, months))
    assert monthly_payment(principal=principal, annual_rate=rate, term_months=months) == payment
    try:
        plan = schedule(principal=principal, annual_rate=rate, term_months=months)
    except TermsTooSmall:
        assume(False)

    assert len(plan.lines) == months
    balance = principal
    for line in plan.lines:
        assert line.interest == to_the_cent(Fraction(balance) * Fraction(rate) / 1200)
        assert line.payment == line.interest + line.principal
        assert line.payment > 0
        balance -= line.principal
        assert line.balance == balance >= 0
    assert {line.payment for line in plan.lines[:-1]} <= {payment}
    assert balance == 0
    assert plan.last_payment == plan.lines[-1].payment
    assert plan.total_interest == sum(line.interest for line in plan.lines)


@settings(max_examples=40)
@given(
    principal=st.decimals("100.00", "50000.00", places=2),
    rate=RATES,
    months=st.integers(1, 360),
)
def test_last_instalment_differs_by_no_more_than_the_worst_residue(
    principal: Decimal, rate: Decimal, months: int
) -> None:
    worst = worst_residue(annual_rate=rate, term_months=months)
    try:
        plan = schedule(principal=principal, annual_rate=rate, term_months=months)
    except TermsTooSmall:
        assert worst > exact_payment(principal, rate, months) - Fraction(1, 100)
        return
    difference = abs(plan.last_payment - plan.monthly_payment)
    assert difference <= worst
    assert plan.is_even == (difference * 20 <= plan.monthly_payment)
