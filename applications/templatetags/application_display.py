"""How templates show the states of an application."""

from django.utils.safestring import SafeString

from applications.models import Disbursement
from core.admin import display
from core.templatetags.display import register

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
    return display.badge(str(known.label), PAYOUT_TONES[known])
