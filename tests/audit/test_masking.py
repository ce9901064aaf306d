"""Masked values show that there is a value, and cannot be used."""

from decimal import Decimal

import pytest

from applications.pii import masked, masked_changes
from audit.masking import mask, mask_email, mask_mailboxes, mask_name, mask_words


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("613-555-0101", "6••-•••-••01"),
        ("+1 (613) 555-0101", "+1 (•••) •••-••01"),
        ("1234", "••34"),
        ("12", "••"),
        ("1", "•"),
        ("", ""),
        (None, ""),
    ],
)
def test_number_keeps_its_shape_and_three_signs(value: object, shown: str) -> None:
    assert mask(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("alice@example.com", "a••••@e••••.com"),
        ("a@b", "a••••@••••b"),
        ("not an address", "n•• •• •••••••"),
        ("", ""),
    ],
)
def test_address_of_a_mailbox_keeps_two_letters_and_the_country(value: str, shown: str) -> None:
    assert mask_email(value) == shown


def test_mailboxes_in_a_text_are_masked_and_the_rest_stays() -> None:
    said = "{'alice.b+c@example.com': (550, b'5.1.1 <alice.b+c@example.com>: unknown at mx-1')}"

    assert mask_mailboxes(said) == (
        "{'a••••@e••••.com': (550, b'5.1.1 <a••••@e••••.com>: unknown at mx-1')}"
    )
    assert mask_mailboxes("root@localhost and @ alone") == "r••••@••••localhost and @ alone"


def test_words_and_names_keep_how_they_begin() -> None:
    assert mask_words("123 Maple Street, Ottawa") == "1••••"
    assert mask_words("") == ""
    assert mask_name("Alice  Johnson") == "A. J."
    assert mask_name("שלום 🏡") == "ש. 🏡."


def test_personal_fields_are_masked_and_the_others_are_kept_whole() -> None:
    changes = masked_changes(
        {
            "sin_last4": ("1111", "2222"),
            "annual_income": (None, Decimal("85000.00")),
            "loan_amount": (Decimal("150000.00"), Decimal("90000.00")),
            "applicant_name": ("Alice Johnson", "Bob Martinez"),
        }
    )

    assert changes == {
        "sin_last4": ("••11", "••22"),
        "annual_income": (None, "••••"),
        "loan_amount": (Decimal("150000.00"), Decimal("90000.00")),
        "applicant_name": ("A. J.", "B. M."),
    }
    assert masked("purpose", "home") == "home"
