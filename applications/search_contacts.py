"""Normalize phone numbers and e-mail addresses for searching. Pure."""

import re

SHORTEST_PHONE = 7  # digits: a local number, without the area
PHONE = re.compile(r"\+?[\d\s().-]+")
LENGTH = 20  # digits stored; a number has fifteen at most (ITU-T E.164)


def phone_key(phone: str) -> str:
    """``613-555-0101`` becomes ``1010555316``: its digits from the last to the first.

    So that an index finds a number with or without the codes of its area and country.
    """
    return "".join(sign for sign in reversed(phone) if sign in "0123456789")[:LENGTH]


def email_key(email: str) -> str:
    """``Alice@Example.com`` becomes ``alice@example.com``."""
    return email.strip().casefold()


def is_phone(term: str) -> bool:
    """Tell whether a text is a phone number, of a local number's length or longer."""
    return PHONE.fullmatch(term) is not None and len(phone_key(term)) >= SHORTEST_PHONE
