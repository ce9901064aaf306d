"""How templates show amounts, statuses and times; the same as the lists do."""

from decimal import Decimal

from django import template
from django.utils.safestring import SafeString

from applications.admin import display
from applications.models import Disbursement, ReviewDecision
from applications.vocabulary import TaskStatus

register = template.Library()
register.simple_tag(display.money)
register.filter(display.moment)
register.filter(display.instant)
register.filter(display.status_badge)
register.filter(display.badge)
register.filter(display.outcome_badge)
register.filter(display.clock)

PAYOUT_TONES = {
    Disbursement.Status.REQUESTED: "info",
    Disbursement.Status.PAID: "good",
    Disbursement.Status.REFUSED: "bad",
    Disbursement.Status.UNKNOWN: "alert",
    Disbursement.Status.NOT_PAID: "wait",
}


@register.filter
def decision_badge(decision: ReviewDecision) -> SafeString:
    """What a person answered; never an outcome where it was not applied."""
    return display.late_badge() if decision.late else display.outcome_badge(decision.outcome)


@register.filter
def task_badge(status: str) -> SafeString:
    known = TaskStatus(status)
    return display.badge(known.label, "wait" if known == TaskStatus.OPEN else "quiet")


@register.filter
def payout_badge(status: str) -> SafeString:
    known = Disbursement.Status(status)
    return display.badge(str(known.label), PAYOUT_TONES[known])


@register.filter
def figures(amount: Decimal) -> str:
    """An amount in a column whose heading says the currency."""
    return f"{amount:,.2f}"
