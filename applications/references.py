"""References of applications: how they look, and how people type them. Pure."""

import re

PREFIX = "LOAN-"
LOOKS_LIKE_REFERENCE = re.compile(rf"{PREFIX}[A-Z0-9]{{8}}", re.IGNORECASE)
MAY_BE_REFERENCE = re.compile(rf"(?:{PREFIX})?[A-Z0-9]{{8}}", re.IGNORECASE)


def reference_of(typed: str) -> str:
    """Return the reference that somebody typed, with or without its prefix, in any case."""
    return PREFIX + typed.strip().upper().removeprefix(PREFIX)
