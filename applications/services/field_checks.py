"""Check the fields of an application, as whoever enters or edits it may set them."""

import re
from decimal import Decimal

from django.core.exceptions import ValidationError

from applications.errors import InvalidApplication
from applications.models import LoanApplication
from lending.underwriting import SMALLEST_INCOME

# Seven to fifteen digits (ITU-T E.164 has at most fifteen), and what people write between them.
# The API's schema has the same pattern.
PHONE_PATTERN = r"^(?:[ ()+-]*[0-9]){7,15}[ ()+-]*$"
NO_PHONE = (
    "Enter a phone number of 7 to 15 digits, such as 613-555-0101 or +1 (613) 555-0101: digits, "
    "spaces, +, - and brackets."
)


def fields_check(application: LoanApplication, *, lent_in: str) -> None:
    """Make the values those of their fields. Raises ``InvalidApplication`` with field errors.

    ``lent_in`` is the only currency that loans are made in.
    """
    errors: dict[str, list[str]] = {}
    try:
        application.clean_fields(exclude=["created_by", "submitted_by", "last_edited_by"])
    except ValidationError as invalid:
        errors = {name: list(texts) for name, texts in invalid.message_dict.items()}
    for name in ("loan_amount", "annual_income"):
        amount = getattr(application, name)
        if name in errors or not isinstance(amount, Decimal):
            continue
        if amount <= 0:
            errors[name] = ["Enter an amount above zero."]
        elif name == "annual_income" and amount < SMALLEST_INCOME:
            errors[name] = [f"Enter a yearly income of at least {SMALLEST_INCOME}."]
    if application.currency != lent_in:
        errors["currency"] = [f"Loans are made in {lent_in}."]
    phone = application.phone
    if isinstance(phone, str) and phone and re.fullmatch(PHONE_PATTERN, phone) is None:
        errors.setdefault("phone", [NO_PHONE])
    if not application.applicant_name.strip():
        errors.setdefault("applicant_name", ["This field may not be blank."])
    if errors:
        raise InvalidApplication(errors)
