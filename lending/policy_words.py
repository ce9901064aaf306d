"""Format the rules of a lending policy for people: their labels, their values, what changes."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from audit.services import Changes
from lending.choices import Tier

# Where a field's own name does not say it well.
LABELS = {
    "default_term_months": "Usual term",
    "maximum_debt_to_income": "Largest estimated payment to income",
    "approval_due": "Decision due after",
    "approval_expires": "Decision expires after",
    "fraud_check_timeout": "Fraud check answers within",
    "fraud_check_attempts": "Fraud check tries",
    "offer_acceptance_required": "The applicant has to accept the offer",
    "offer_life": "Offer open for",
}
NO_RULES = frozenset({"version", "notes"})


def changes_in_words(changes: Changes) -> Iterable[tuple[str, str, str]]:
    """Return for each rule that changes its label, its value in force and its new value."""
    for name, (old, new) in changes.items():
        if name not in NO_RULES:
            yield field_words(name), value_words(old), value_words(new)


def days(span: timedelta) -> str:
    """``7 days``, ``1 day 12 h``, ``5 min``: every unit that is not zero."""
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    many, hours = divmod(hours, 24)
    units = ((many, "day" if many == 1 else "days"), (hours, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join(f"{number} {unit}" for number, unit in units if number) or "0 s"


def field_words(name: str) -> str:
    """``approval_due`` as ``Approval due``; ``prime: annual_rate`` as ``Prime: annual rate``."""
    tier, _, field = name.rpartition(": ")
    label = LABELS.get(field) or field.replace("_", " ")
    return f"{Tier(tier).label}: {label}" if tier else label.capitalize()


def value_words(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, timedelta):
        return days(value)
    return f"{value:,}" if isinstance(value, Decimal | int) else str(value)
