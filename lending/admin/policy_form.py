"""The form of a lending policy: labels, units, and how each rule is displayed."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import DurationField
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from core.admin.display import moment, money
from core.admin.forms import show_refusal
from lending import services
from lending.admin import spans
from lending.models import LendingPolicy, PolicyAuthority, PolicyTier
from lending.policy_problems import by_field
from lending.policy_words import LABELS, days

if TYPE_CHECKING:
    PolicyFormBase = forms.ModelForm[LendingPolicy]
else:
    PolicyFormBase = forms.ModelForm

WHO = ("approval_threshold", "second_approval_threshold")
SMALLEST = ("smallest_loan", "smallest_instalment")
WAITS = tuple(
    column.name for column in LendingPolicy._meta.fields if isinstance(column, DurationField)
)
OFFER = ("offer_acceptance_required", "offer_life")


class PolicyForm(PolicyFormBase):
    class Meta:
        model = LendingPolicy
        fields: list[str] = []  # the admin names them
        labels = LABELS
        help_texts = {
            "version": "Counts up. Every decision keeps the version that it was made under.",
            "currency": "Three letters, as in CAD. Every amount below is in it.",
            "default_term_months": "Months. What a new application begins with.",
            "approval_due": f"Then the deciders are reminded. {spans.HOW}",
            "approval_expires": "Then the application ends as expired; nothing is ever approved by "
            f"waiting. Not before it is due. {spans.HOW}",
            "fraud_check_timeout": f"For each try. {spans.HOW}",
            "fraud_check_attempts": "After the last one without an answer an incident is opened.",
            "offer_acceptance_required": "Off: what is approved is paid out without asking, "
            "unless a restart changed the terms of an earlier offer.",
            "offer_life": f"Then an offer that nobody accepted expires. {spans.HOW}",
            "notes": "For staff: why this version is as it is.",
        }

    def validate_constraints(self) -> None:
        """Compare the fields with each other, once each is within its bounds.

        A constraint says the same and names no field; with a sentence beside one it is left out.
        """
        if not self.errors:
            show_refusal(self, by_field(services.policy_own_problems(self.instance)))
        super().validate_constraints()


def policy_fieldsets(*, typed: bool) -> list[tuple[str | None, dict[str, Any]]]:
    """Return the fields by subject; where they cannot be edited, as formatted values."""

    def as_seen(*names: str) -> tuple[Any, ...]:
        return names if typed else tuple(SHOWN.get(name, name) for name in names)

    waits = [name for name in WAITS if name not in OFFER]
    return [
        (None, {"fields": as_seen("version", "currency")}),
        ("Who decides", {"fields": as_seen(*WHO)}),
        (
            "What may be lent",
            {"fields": as_seen(*SMALLEST, "default_term_months", "maximum_debt_to_income")},
        ),
        ("How long things wait", {"fields": as_seen(*waits, "fraud_check_attempts")}),
        ("The offer", {"fields": as_seen(*OFFER)}),
        ("Record", {"fields": as_seen("notes", "created_at", "published_at", "published_by")}),
    ]


def _shown(name: str, read: Callable[[Any], str]) -> Callable[[Any], str]:
    """Return a read-only column with the name of the field that it displays."""

    def show(row: Any) -> str:
        return read(row)

    show.__name__ = name
    return admin.display(description=LABELS.get(name) or name.replace("_", " "), ordering=name)(
        show
    )


def _amount(name: str) -> Callable[[LendingPolicy], SafeString]:
    return lambda policy: money(getattr(policy, name), policy.currency)


def _span(name: str) -> Callable[[LendingPolicy], str]:
    return lambda policy: days(getattr(policy, name))


def _debt_to_income(policy: LendingPolicy) -> str:
    limit: Decimal | None = policy.maximum_debt_to_income
    return "no limit" if limit is None else f"{limit} %"


def _ceiling(authority: PolicyAuthority) -> SafeString | str:
    limit = authority.ceiling
    return "no limit" if limit is None else money(limit, authority.policy.currency)


def ceilings_shown(policy: LendingPolicy) -> SafeString:
    """Show the ceiling of each role in one line."""
    limits = services.policy_ceilings(policy).items()
    return format_html_join(
        ", ",
        "{}: {}",
        (
            (role, "no limit" if limit is None else money(limit, policy.currency))
            for role, limit in limits
        ),
    )


def standing(policy: LendingPolicy | None, current: LendingPolicy | None) -> str:
    """Say whether a version is in force, and which one is if it is not."""
    if current is None or current.published_at is None:
        return "No version is in force."
    if policy == current:
        return format_html("{} is in force since {}.", policy, moment(current.published_at))
    since = format_html("{} is in force since {}.", current, moment(current.published_at))
    if policy is None or policy.published_at is None:
        return format_html("This is a draft and not in force yet. {}", since)
    return format_html("{} is not in force any more. {}", policy, since)


def _largest(tier: PolicyTier) -> SafeString | str:
    return money(tier.largest_amount, tier.policy.currency) if tier.largest_amount else "declined"


SHOWN: dict[str, Callable[[Any], str]] = {
    **{name: _shown(name, _amount(name)) for name in (*WHO, *SMALLEST)},
    **{name: _shown(name, _span(name)) for name in WAITS},
    "default_term_months": _shown(
        "default_term_months", lambda policy: f"{policy.default_term_months} months"
    ),
    "maximum_debt_to_income": _shown("maximum_debt_to_income", _debt_to_income),
}
AUTHORITY_SHOWN: dict[str, Callable[[Any], str]] = {"ceiling": _shown("ceiling", _ceiling)}
TIER_SHOWN: dict[str, Callable[[Any], str]] = {
    "annual_rate": _shown("annual_rate", lambda tier: f"{tier.annual_rate} %"),
    "largest_amount": _shown("largest_amount", _largest),
}
