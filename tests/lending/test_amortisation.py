from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lending.amortisation import monthly_payment, schedule


def test_check_value_of_the_policy() -> None:
    """150,000 at 7.5 % over 60 months: the figures of the product's specification."""
    plan = schedule(principal=Decimal(150000), annual_rate=Decimal("7.50"), term_months=60)
    assert plan.monthly_payment == Decimal("3005.69")
    assert plan.last_payment == Decimal("3005.86")
    assert plan.total_interest == Decimal("30341.57")


def test_zero_rate_divides_evenly_and_the_last_instalment_takes_the_cents() -> None:
    plan = schedule(principal=Decimal(100), annual_rate=Decimal(0), term_months=3)
    assert [line.payment for line in plan.lines] == [
        Decimal("33.33"),
        Decimal("33.33"),
        Decimal("33.34"),
    ]
    assert plan.total_interest == 0


@pytest.mark.parametrize(
    ("principal", "rate", "months"),
    [("0", "5", 12), ("-1", "5", 12), ("1", "-5", 12), ("1", "5", 0)],
)
def test_senseless_terms_are_refused(principal: str, rate: str, months: int) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        monthly_payment(principal=Decimal(principal), annual_rate=Decimal(rate), term_months=months)


@given(
    principal=st.decimals("0.01", "9999999999.99", places=2),
    rate=st.decimals(0, 60, places=2),
    months=st.integers(1, 360),
)
def test_principals_add_up_and_no_balance_is_negative(
    principal: Decimal, rate: Decimal, months: int
) -> None:
    plan = schedule(principal=principal, annual_rate=rate, term_months=months)
    assert len(plan.lines) == months
    assert sum(line.principal for line in plan.lines) == principal
    assert plan.lines[-1].balance == 0
    for line in plan.lines:
        assert line.payment == line.interest + line.principal
        assert min(line.balance, line.interest, line.principal) >= 0
        assert line.payment == line.payment.quantize(Decimal("0.01"))
