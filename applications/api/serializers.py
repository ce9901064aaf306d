"""Serializers of applications: requests, and ``selectors.ApplicationView`` as JSON."""

import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from applications.choices import Level, Purpose, Status, Step, waiting_choices
from applications.services.field_checks import PHONE_PATTERN
from lending.choices import Outcome, Tier
from partners.api.serializers import (
    AmountField,
    EmailField,
    PageQuerySerializer,
    StrictSerializer,
    TextField,
    TwoDecimals,
    WholeNumberField,
    moment,
)

# As ``MONEY_PATTERN``, from 1.00.
INCOME_PATTERN = r"^\s*0*[1-9][0-9]{0,9}(\.[0-9]{1,2})?\s*$"


@extend_schema_field({"type": "string", "pattern": "^[0-9]{4}$"})
class SinField(TextField):
    """A string of exactly four ASCII digits; not a number, because it may begin with zero."""

    default_error_messages = {
        "text": 'Write the four digits as a JSON string, such as "0123".',
        "digits": "Enter exactly four digits.",
    }

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not re.fullmatch(r"[0-9]{4}", text):
            self.fail("digits")
        return text


@extend_schema_field(
    {
        "type": "string",
        "maxLength": 40,
        "pattern": PHONE_PATTERN,
        "description": "7 to 15 digits; spaces, +, - and brackets may stand between them.",
    }
)
class PhoneField(TextField):
    """A phone number, as the service checks."""


@extend_schema_field(
    {
        "type": ["string", "number"],
        "pattern": INCOME_PATTERN,
        "minimum": 1,
        "description": 'At least 1.00 a year, at most two decimals. A string: "85000.00", is best.',
    }
)
class IncomeField(AmountField):
    """A yearly income: an amount of at least 1.00, as the service checks."""


class NewApplicationSerializer(StrictSerializer):
    """The body of ``POST /applications/``."""

    applicant_name = TextField(max_length=200)
    address = TextField(max_length=300, required=False, allow_blank=True)
    phone = PhoneField(max_length=40, required=False, allow_blank=True)
    email = EmailField(max_length=254, required=False, allow_blank=True)
    sin_last4 = SinField(help_text="The last four digits of the SIN; never returned.")
    annual_income = IncomeField(required=False, allow_null=True)
    loan_amount = AmountField()
    currency = TextField(
        required=False, min_length=3, max_length=3, help_text="The one that loans are made in: CAD."
    )
    purpose = serializers.ChoiceField(
        choices=Purpose.choices,
        required=False,
        error_messages={"invalid_choice": f"Choose one of: {', '.join(Purpose.values)}."},
    )
    term_months = WholeNumberField(
        required=False,
        min_value=6,
        max_value=360,
        help_text="Left out: the lending policy's usual term.",
    )
    external_id = TextField(
        max_length=100,
        required=False,
        allow_blank=True,
        help_text="Your own name for this application. Each is taken once, whatever became of the "
        "application.",
    )


class ApplicationQuerySerializer(PageQuerySerializer):
    """The query of ``GET /applications/``."""

    status = serializers.ChoiceField(
        choices=Status.choices,
        required=False,
        error_messages={"invalid_choice": f"Choose one of: {', '.join(Status.values)}."},
    )
    submitted_after = moment(required=False, help_text="Submitted later than this.")
    submitted_before = moment(required=False, help_text="Submitted earlier than this.")
    reference = TextField(required=False, max_length=20)
    external_id = TextField(
        required=False, max_length=100, allow_blank=True, help_text="Empty: those without one."
    )


class WaitingSerializer(serializers.Serializer[Any]):
    who = serializers.ChoiceField(choices=waiting_choices())
    since = moment(allow_null=True)
    until = moment(allow_null=True)


class ReasonSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="A stable code, such as SCORE_TOO_LOW.")
    text = serializers.CharField()


class DecisionSerializer(serializers.Serializer[Any]):
    outcome = serializers.ChoiceField(choices=Outcome.choices)
    decided_at = moment(allow_null=True)
    reasons = ReasonSerializer(many=True)
    risk_tier = serializers.ChoiceField(choices=Tier.choices, allow_null=True)
    average_score = serializers.IntegerField(allow_null=True)
    policy_version = serializers.IntegerField(allow_null=True)


class OfferSerializer(serializers.Serializer[Any]):
    offer_id = serializers.CharField()
    annual_rate = TwoDecimals(help_text="Percent a year.")
    term_months = serializers.IntegerField()
    monthly_payment = TwoDecimals()
    total_interest = TwoDecimals()
    expires_at = moment(
        help_text="The last moment to answer it: the end of a day in the office's time zone."
    )


class DisbursementSerializer(serializers.Serializer[Any]):
    reference = serializers.CharField(help_text="The payout rail's reference.")
    amount = TwoDecimals()
    funded_at = moment(allow_null=True)


class ApplicationSerializer(serializers.Serializer[Any]):
    """An application, as it stands."""

    reference = serializers.CharField()
    status = serializers.ChoiceField(choices=Status.choices)
    current_step = serializers.ChoiceField(
        choices=Step.choices, allow_null=True, help_text="Null while it is a draft."
    )
    applicant_name = serializers.CharField()
    loan_amount = TwoDecimals()
    currency = serializers.CharField(help_text="ISO 4217.")
    external_id = serializers.CharField(help_text="Empty when none was given.", allow_blank=True)
    submitted_at = moment(allow_null=True)
    version = serializers.IntegerField(help_text="What a decision is bound to.")
    waiting_on = WaitingSerializer(allow_null=True)
    decision = DecisionSerializer(allow_null=True)
    offer = OfferSerializer(allow_null=True)
    disbursement = DisbursementSerializer(allow_null=True, help_text="Null until it is paid.")


class EventSerializer(serializers.Serializer[Any]):
    """One line of the timeline."""

    at = moment()
    step = serializers.ChoiceField(choices=Step.choices, allow_null=True)
    level = serializers.ChoiceField(choices=Level.choices)
    message = serializers.CharField()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        line = super().to_representation(instance)
        return {**line, "step": line["step"] or None}


class ApplicationPageSerializer(serializers.Serializer[Any]):
    results = ApplicationSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class EventPageSerializer(serializers.Serializer[Any]):
    results = EventSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
