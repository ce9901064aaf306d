"""Template filters for the statuses of an application."""

from decimal import Decimal

from django import template
from django.utils.safestring import SafeString

from applications.admin.display import outcome_badge, status_badge
from applications.models import Disbursement
from applications.pii import debt_to_income_band
from core.admin.display import badge

register = template.Library()
register.filter(status_badge)
register.filter(outcome_badge)

PAYOUT_TONES = {
    Disbursement.Status.REQUESTED: "info",
    Disbursement.Status.PAID: "good",
    Disbursement.Status.REFUSED: "bad",
    Disbursement.Status.UNKNOWN: "alert",
    Disbursement.Status.NOT_PAID: "wait",
}


@register.filter
def payout_badge(status: str) -> SafeString:
    known = Disbursement.Status(status)
    return badge(str(known.label), PAYOUT_TONES[known])


@register.simple_tag
def share_of_income(ratio: Decimal | None, *, income_shown: bool) -> str:
    """The share in percent where the income is shown; else its band."""
    return f"{ratio} %" if income_shown and ratio is not None else debt_to_income_band(ratio)
