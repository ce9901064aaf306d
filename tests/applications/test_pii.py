"""Masks of an application's personal fields, and what is said in their place."""

from decimal import Decimal

import pytest

from applications.pii import debt_to_income_band, without_contact

CONTACT = {
    "phone": "613-555-0101",
    "email": "alice@example.com",
    "address": "123 Maple Street, Ottawa",
}


@pytest.mark.parametrize(
    ("ratio", "band"),
    [
        (None, "not known"),
        ("0.00", "up to 10 %"),
        ("10.00", "up to 10 %"),
        ("10.01", "10 to 20 %"),
        ("42.35", "40 to 80 %"),
        ("105.88", "80 to 160 %"),
        ("160.00", "80 to 160 %"),
        ("160.01", "over 160 %"),
        ("999999.99", "over 160 %"),
    ],
)
def test_share_of_income_is_shown_as_the_band_that_it_is_in(ratio: str | None, band: str) -> None:
    assert debt_to_income_band(None if ratio is None else Decimal(ratio)) == band


def test_band_of_another_payment_tells_no_more_about_the_income() -> None:
    """2,847.90 beside an estimate of 7,500.00: its band is that of the estimate, 0.37972 times."""
    times = Decimal("2847.90") / Decimal("7500.00")

    assert debt_to_income_band(Decimal("105.88"), times=times) == "30 to 61 %"
    assert debt_to_income_band(Decimal("9.00"), times=times) == "up to 4 %"
    assert debt_to_income_band(Decimal("161.00"), times=times) == "over 61 %"
    assert debt_to_income_band(None, times=times) == "not known"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Call 613-555-0101.", "Call 6••-•••-••01."),
        ("Call (613) 555-0101 now", "Call 6••-•••-••01 now"),
        ("Call +1 613 555 0101 now", "Call 6••-•••-••01 now"),
        ("6135550101", "6••-•••-••01"),
        ("555-0101 at noon", "6••-•••-••01 at noon"),
        ("to Alice@Example.com, soon", "to a••••@e••••.com, soon"),
        ("moved from 123 maple street, ottawa", "moved from 1••••"),
        ("the house at 123 Maple Street is sold", "the house at 1•••• is sold"),
        ("an offer in Ottawa", "an offer in Ottawa"),
        ("paid 150,000.00 on 2026-11-29", "paid 150,000.00 on 2026-11-29"),
        ("rail reference 99613555010177", "rail reference 99613555010177"),
        ("", ""),
    ],
)
def test_contact_details_in_a_text_are_masked(typed: str, kept: str) -> None:
    assert without_contact(typed, **CONTACT) == kept


def test_text_of_an_application_without_contact_details_stays_as_it_is() -> None:
    text = "Call 613-555-0101 or write to x@example.com."

    assert without_contact(text, phone="", email="", address="") == text
    assert without_contact(text, phone="101", email="-", address="Ottawa") == text
