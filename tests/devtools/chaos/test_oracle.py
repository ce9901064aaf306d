"""The oracle's policy, against figures from the documentation."""

from decimal import Decimal

import pytest

from devtools.chaos.oracle import Ask, expected_path_of, instalment
from reviews.choices import TaskKind

MANAGER = TaskKind.MANAGER_APPROVAL
ANALYST = Ask(TaskKind.FRAUD_REVIEW, 1)


@pytest.mark.parametrize(
    ("sin_last4", "amount", "rate", "asks"),
    [
        ("1111", "99999.99", "5.25", ()),
        ("1111", "100000.00", "5.25", (Ask(MANAGER, 1),)),
        ("1111", "250000.00", "5.25", (Ask(MANAGER, 1),)),
        ("1111", "250000.01", "5.25", (Ask(MANAGER, 1, above_ceiling=True),)),
        ("1111", "499999.99", "5.25", (Ask(MANAGER, 1, above_ceiling=True),)),
        ("1111", "500000.00", "5.25", (Ask(MANAGER, 2, above_ceiling=True),)),
        ("1111", "1000000.00", "5.25", (Ask(MANAGER, 2, above_ceiling=True),)),
        ("3333", "25000.00", "11.00", ()),
        ("4444", "40000.00", "5.25", (ANALYST,)),
        ("4444", "150000.00", "5.25", (Ask(MANAGER, 1), ANALYST)),
        ("5555", "30000.00", "7.50", (Ask(MANAGER, 1),)),
    ],
)
def test_course_of_a_case_that_the_policy_lets_through(
    sin_last4: str, amount: str, rate: str, asks: tuple[Ask, ...]
) -> None:
    expected_path = expected_path_of(sin_last4=sin_last4, amount=Decimal(amount))
    assert (expected_path.declined, expected_path.annual_rate, expected_path.asks) == (
        False,
        Decimal(rate),
        asks,
    )


@pytest.mark.parametrize(
    ("sin_last4", "amount"), [("1111", "1000000.01"), ("2222", "5000.00"), ("3333", "25000.01")]
)
def test_course_of_a_case_that_the_policy_declines(sin_last4: str, amount: str) -> None:
    expected_path = expected_path_of(sin_last4=sin_last4, amount=Decimal(amount))
    assert expected_path.declined
    assert expected_path.asks == ()


def test_bureau_that_is_down_is_a_referral_even_above_the_tier_s_limit() -> None:
    expected_path = expected_path_of(sin_last4="5555", amount=Decimal(300_000))
    assert not expected_path.declined
    assert expected_path.asks == (Ask(MANAGER, 1, above_ceiling=True),)


def test_instalment_has_the_product_s_check_value() -> None:
    assert instalment(amount=Decimal(150_000), annual_rate=Decimal("7.5")) == Decimal("3005.69")
