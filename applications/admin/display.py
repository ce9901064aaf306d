"""How the admin shows an amount, a status and a moment. Words and colours, no rules."""

from datetime import datetime
from decimal import Decimal

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from applications.vocabulary import Outcome, Status

TONES = {
    Status.DRAFT: "quiet",
    Status.SUBMITTED: "info",
    Status.IN_REVIEW: "info",
    Status.PENDING_APPROVAL: "wait",
    Status.APPROVED: "fresh",
    Status.FUNDED: "good",
    Status.DECLINED: "bad",
    Status.WITHDRAWN: "quiet",
    Status.EXPIRED: "quiet",
    Status.NEEDS_ATTENTION: "alert",
}

OUTCOME_TONES = {Outcome.APPROVE: "good", Outcome.REFER: "wait", Outcome.DECLINE: "bad"}


def badge(label: str, tone: str) -> SafeString:
    return format_html('<span class="badge tone-{}">{}</span>', tone, label)


def status_badge(status: str) -> SafeString:
    known = Status(status)
    return badge(known.label, TONES[known])


def outcome_badge(outcome: str) -> SafeString:
    known = Outcome(outcome)
    return badge(known.label, OUTCOME_TONES[known])


def late_badge() -> SafeString:
    """Of a decision that is kept and counts for nothing."""
    return badge("Late, not applied", "wait")


def money(amount: Decimal, currency: str) -> SafeString:
    """``150,000.00 CAD``: digits that line up, the currency a little quieter."""
    return format_html(
        '<span class="money">{} <span class="currency">{}</span></span>', f"{amount:,.2f}", currency
    )


def moment(at: datetime) -> SafeString:
    """A time to the minute, in local time, that a machine can read too."""
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}">{}</time>', local.isoformat(), f"{local:%Y-%m-%d %H:%M}"
    )


def instant(at: datetime) -> SafeString:
    """A time to the second, for what follows itself quickly."""
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}">{}</time>', local.isoformat(), f"{local:%Y-%m-%d %H:%M:%S}"
    )


def clock(at: datetime) -> str:
    """``14:03:07`` for today, with the date for any other day."""
    local = timezone.localtime(at)
    today = timezone.localdate()
    return f"{local:%H:%M:%S}" if local.date() == today else f"{local:%Y-%m-%d %H:%M:%S}"
