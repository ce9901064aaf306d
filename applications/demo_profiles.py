"""Profiles of the five demo applicants, which the form fills in with one click.

They exist only where ``LOANOFFICE_DEMO`` is true. The outcome of their applications follows
from the reports of the simulated bureaus and from the policy; nothing here determines it.
"""

from dataclasses import dataclass
from decimal import Decimal

DEFAULT_ANNUAL_INCOME = Decimal("85000.00")


@dataclass(frozen=True)
class DemoProfile:
    sin_last4: str
    applicant_name: str
    address: str
    phone: str
    email: str
    loan_amount: Decimal
    story: str
    annual_income: Decimal = DEFAULT_ANNUAL_INCOME


DEMO_PROFILES = (
    DemoProfile(
        sin_last4="1111",
        applicant_name="Alice Johnson",
        address="123 Maple Street, Ottawa",
        phone="613-555-0101",
        email="alice@example.com",
        loan_amount=Decimal("150000.00"),
        story="A manager decides, then funded",
    ),
    DemoProfile(
        sin_last4="2222",
        applicant_name="Bob Martinez",
        address="456 Oak Avenue, Toronto",
        phone="416-555-0202",
        email="bob@example.com",
        loan_amount=Decimal("50000.00"),
        story="Declined with reasons",
    ),
    DemoProfile(
        sin_last4="3333",
        applicant_name="Charlie Wilson",
        address="789 Pine Road, Vancouver",
        phone="604-555-0303",
        email="charlie@example.com",
        loan_amount=Decimal("25000.00"),
        story="Funded up to 25,000",
    ),
    DemoProfile(
        sin_last4="4444",
        applicant_name="Dana Reed",
        address="12 Birch Lane, Halifax",
        phone="902-555-0404",
        email="dana@example.com",
        loan_amount=Decimal("40000.00"),
        story="The fraud check flags; a risk analyst decides",
    ),
    DemoProfile(
        sin_last4="5555",
        applicant_name="Erin Park",
        address="88 Cedar Court, Calgary",
        phone="403-555-0505",
        email="erin@example.com",
        loan_amount=Decimal("30000.00"),
        story="A bureau is down; referred to a manager",
    ),
)


def find_profile(sin_last4: str) -> DemoProfile | None:
    """Return the profile with these four digits of a SIN, or ``None``."""
    return next((profile for profile in DEMO_PROFILES if profile.sin_last4 == sin_last4), None)
