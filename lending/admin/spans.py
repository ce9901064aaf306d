"""A form field for a length of time that people type in words, as in “1 day 12 hours”."""

import re
from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from lending.policy_words import days

HOW = "In days, hours and minutes, as in “1 day 12 hours”."
# What is longer than these digits can say is longer than any wait.
WORDS = re.compile(
    r"(?:(?P<days>\d{1,6})\s*(?:d|days?))?[\s,]*"
    r"(?:(?P<hours>\d{1,6})\s*(?:h|hrs?|hours?))?[\s,]*"
    r"(?:(?P<minutes>\d{1,6})\s*(?:m|mins?|minutes?))?[\s,]*"
    r"(?:(?P<seconds>\d{1,6})\s*(?:s|secs?|seconds?))?",
    re.IGNORECASE,
)


class SpanField(forms.DurationField):
    """Read and show a ``timedelta`` in words; every number has its unit."""

    default_error_messages = {"invalid": "Write each number with its unit, as in “1 day 12 hours”."}

    def prepare_value(self, value: Any) -> Any:
        return days(value) if isinstance(value, timedelta) else value

    def to_python(self, value: Any) -> timedelta | None:
        if value in self.empty_values or isinstance(value, timedelta):
            return value or None
        found = WORDS.fullmatch(str(value).strip())
        numbers = {} if found is None else found.groupdict()
        if not any(numbers.values()):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return timedelta(**{unit: int(number or 0) for unit, number in numbers.items()})
