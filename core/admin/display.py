"""How the admin shows an amount, a status and a moment. Words and colours, no rules."""

from datetime import datetime
from decimal import Decimal

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString


def badge(label: str, tone: str) -> SafeString:
    return format_html('<span class="badge tone-{}">{}</span>', tone, label)


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
