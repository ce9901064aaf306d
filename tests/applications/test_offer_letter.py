from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO

import pytest
from pypdf import PdfReader

from applications.models import LoanApplication, LoanOffer
from applications.offer_letter import offer_letter
from lending.amortisation import schedule

PLAN = schedule(principal=Decimal(150000), annual_rate=Decimal("7.50"), term_months=60)


def letter(name: str, address: str = "123 Maple Street, Ottawa") -> tuple[bytes, str]:
    """The PDF's bytes and its text."""
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    offer = LoanOffer(
        application=LoanApplication(
            reference="LOAN-7Q2M9K4T", applicant_name=name, address=address
        ),
        offer_id="OFFER-7Q2M9K4T-1",
        principal=Decimal(150000),
        currency="CAD",
        annual_rate=Decimal("7.50"),
        term_months=60,
        monthly_payment=PLAN.monthly_payment,
        last_payment=PLAN.last_payment,
        total_interest=PLAN.total_interest,
        issued_at=now,
        expires_at=now,
    )
    content = offer_letter(offer=offer, plan=PLAN)
    reader = PdfReader(BytesIO(content))
    return content, "\n".join(page.extract_text() for page in reader.pages)


def test_letter_states_the_terms_and_every_instalment() -> None:
    _, text = letter("Alice Johnson")
    for said in (
        "OFFER-7Q2M9K4T-1 for application LOAN-7Q2M9K4T",
        "Alice Johnson",
        "Amount: 150,000.00 CAD",
        "Annual rate: 7.50 %",
        "Monthly payment: 3,005.69 CAD (the last one 3,005.86)",
        "Total interest: 30,341.57 CAD",
    ):
        assert said in text
    assert text.count("3,005.69") >= 59
    assert "3,005.86" in text


def test_same_offer_gives_the_same_bytes() -> None:
    assert letter("Alice Johnson")[0] == letter("Alice Johnson")[0]


@pytest.mark.parametrize("name", ["Zoë Ångström", "Δημήτρης Иванов", "Zoë 🦊"])
def test_names_beyond_western_europe_are_written(name: str) -> None:
    _, text = letter(name)
    assert name.split(maxsplit=1)[0] in text


def test_right_to_left_name_does_not_break_the_letter() -> None:
    _, text = letter("שרה לוי")
    assert "Amount: 150,000.00 CAD" in text


def test_long_address_stays_on_the_page() -> None:
    _, text = letter("A" * 60, address="Very long street name, " * 13)
    assert " ".join(text.split()).count("Very long street name") == 13
