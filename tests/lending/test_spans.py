"""Lengths of time on the form of a policy are typed in words."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from lending.admin.spans import SpanField
from lending.policy_words import days


def test_words_that_people_write_are_read_and_shown_again() -> None:
    field = SpanField(required=False)
    for typed, span in {
        "7 days": timedelta(days=7),
        "1 day 12 hours": timedelta(days=1, hours=12),
        " 1 Day, 12 h ": timedelta(days=1, hours=12),
        "36 hours": timedelta(hours=36),
        "90min": timedelta(minutes=90),
        "5 minutes 30 seconds": timedelta(minutes=5, seconds=30),
    }.items():
        assert field.clean(typed) == span, typed
        assert field.clean(field.prepare_value(span)) == span
        assert field.prepare_value(span) == days(span)
        assert not field.has_changed(span, typed)
    assert field.clean("") is None
    assert field.prepare_value("7 dogs") == "7 dogs"


def test_what_has_no_unit_or_another_order_is_refused_with_an_example() -> None:
    field = SpanField()
    for typed in ("1 12:00:00", "24", "-1 day", "0.5 days", "days", "12 h 1 day", "9999999 days"):
        with pytest.raises(ValidationError, match="with its unit, as in “1 day 12 hours”"):
            field.clean(typed)
