"""Stored codes in words."""

import pytest

from audit.words import in_words


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("purpose", "home_improvement", "Home improvement"),  # the choice of a field
        ("operation", "fraud_review", "Fraud review"),
        ("kind", "manager_approval_declined", "Manager approval declined"),
        ("kind", "partners.issue_key", "Issue key"),
        ("reason_code", "INCOME_NOT_VERIFIED", "Income not verified"),
        ("username", "kim_lee", "kim_lee"),  # a name stays as it is
        ("url", "partner.example.com", "partner.example.com"),
        ("version", 3, "3"),
        ("at", "2026-11-30T12:00:00+00:00", "30 November 2026 07:00"),
    ],
)
def test_code_is_written_in_words_and_a_name_as_it_is(name: str, value: object, words: str) -> None:
    assert in_words(name, value) == words
