"""Fields and serializers that every endpoint shares.

No rules beyond shape: services decide which values are allowed. Money is read as a string (or a
JSON number) and written as a string.
"""

import re
from collections.abc import Mapping
from datetime import UTC
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator, validate_email
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from partners.api.pagination import DEFAULT_SIZE, LARGEST_SIZE
from partners.api.parsers import name_shown

# Above zero, below ten thousand million; leading zeros and surrounding blanks are allowed.
MONEY_PATTERN = r"^\s*(0*[1-9][0-9]{0,9}(\.[0-9]{1,2})?|0+\.(0[1-9]|[1-9][0-9]?))\s*$"
# One character that is not blank, as ``str.strip`` sees it.
NOT_BLANK = r"^[\s\S]*[^\s\u001c-\u001f\u0085][\s\S]*$"
AMOUNT = re.compile(r"(?P<sign>[+-]?)(?P<whole>[0-9]+)(\.(?P<cents>[0-9]+))?", re.ASCII)


# --- Fields ---------------------------------------------------------------------------


class TextField(serializers.CharField):
    """A JSON string, trimmed; other types are not converted."""

    default_error_messages = {"text": "Write this as a JSON string."}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if not self.allow_blank:  # the document has it as the pattern
            self.validators.append(RegexValidator(NOT_BLANK, self.error_messages["blank"]))

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("text")
        return super().to_internal_value(data)


@extend_schema_field(
    {
        "type": "string",
        # The type in each, too: without it, generated clients have a field of any type.
        "anyOf": [{"type": "string", "format": "email"}, {"type": "string", "maxLength": 0}],
    }
)
class EmailField(TextField):
    """An e-mail address."""

    default_error_messages = {"email": "Enter a valid email address."}

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            validate_email(text)
        except ValidationError:
            self.fail("email")
        return text


@extend_schema_field(
    {
        "type": ["string", "number"],
        "pattern": MONEY_PATTERN,
        "exclusiveMinimum": 0,
        "description": 'Above zero, at most two decimals. A string, such as "150000.00", is best.',
    }
)
class AmountField(serializers.Field[Decimal, Any, str, Any]):
    """An amount of money above zero, with at most two decimals, below 10,000,000,000."""

    default_error_messages = {
        "invalid": 'Enter a plain amount, such as "150000.00".',
        "empty": "Enter an amount.",
        "decimals": "Enter an amount with at most two decimals.",
        "positive": "Enter an amount above zero.",
        "large": "Enter an amount below 10,000,000,000.00.",
    }

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str | Decimal):
            self.fail("invalid")
        text = str(data).strip()
        if not text:
            self.fail("empty")
        found = AMOUNT.fullmatch(text)
        if found is None or found["sign"] == "+":
            self.fail("invalid")
        if found["sign"] == "-":
            self.fail("positive")
        if len(found["whole"].lstrip("0")) > 10:
            self.fail("large")
        if len(found["cents"] or "") > 2:
            self.fail("decimals")
        amount = Decimal(text)
        if amount == 0:
            self.fail("positive")
        return amount.quantize(Decimal("0.01"))

    def to_representation(self, value: Decimal) -> str:
        return f"{value:.2f}"


class WholeNumberField(serializers.IntegerField):
    """A JSON number without a fraction; neither a string nor true or false."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, Decimal | int) or isinstance(data, bool):
            self.fail("invalid")
        if isinstance(data, Decimal) and (not data.is_finite() or abs(data.adjusted()) > 9):
            self.fail("invalid")
        return super().to_internal_value(str(data))


class YesNoField(serializers.BooleanField):
    """JSON ``true`` or ``false``; nothing that merely looks like it."""

    default_error_messages = {"invalid": "Write true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


@extend_schema_field({"type": "string", "pattern": r"^[0-9]+\.[0-9]{2}$"})
class TwoDecimals(serializers.Field[Decimal, Any, str, Any]):
    """An amount or a rate, written as a string with two decimals."""

    def to_representation(self, value: Decimal) -> str:
        return f"{value:.2f}"


def moment(**options: Any) -> serializers.DateTimeField:
    """A time: written in UTC with a Z; read with an offset, or else as UTC."""
    return serializers.DateTimeField(default_timezone=UTC, **options)


# --- Requests ---------------------------------------------------------------------------


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know, by name."""

    def to_internal_value(self, data: Mapping[str, Any]) -> dict[str, Any]:
        errors: dict[str, Any] = {
            name_shown(name): ["There is no such field."]
            for name in data
            if name not in self.fields
        }
        try:
            value: dict[str, Any] = super().to_internal_value(data)
        except serializers.ValidationError as invalid:
            raise serializers.ValidationError(errors | dict(invalid.detail)) from invalid  # type: ignore[arg-type]
        if errors:
            raise serializers.ValidationError(errors)
        return value


class EmptySerializer(StrictSerializer):
    """A body without fields: ``{}``, or none at all."""


class PageQuerySerializer(StrictSerializer):
    """The query of every list."""

    cursor = serializers.CharField(
        required=False, max_length=500, help_text="From `next` or `previous`; opaque."
    )
    page_size = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=LARGEST_SIZE,
        help_text=f"Results on a page: {DEFAULT_SIZE} by default.",
    )


# --- Responses --------------------------------------------------------------------------


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457. ``errors`` is there on 400."""

    type = serializers.CharField(help_text="`/problems/` and a code that keeps its meaning.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField(help_text="The path that was asked for.")
    request_id = serializers.CharField(help_text="Also the header X-Request-Id; quote it to us.")


class InvalidSerializer(ProblemSerializer):
    """A problem with the request itself: what is wrong, by field."""

    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()),
        help_text="Field to sentences; empty when no field is to blame.",
    )
