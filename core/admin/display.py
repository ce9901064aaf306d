"""Format an amount, a status and a moment for the admin. Words and colours, no rules."""

from datetime import datetime
from decimal import Decimal

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString


def badge(label: str, tone: str) -> SafeString:
    return format_html('<span class="badge tone-{}">{}</span>', tone, label)


def money(amount: Decimal, currency: str) -> SafeString:
    """Format ``150,000.00 CAD``: aligned digits, the currency in a muted colour."""
    return format_html(
        '<span class="money">{} <span class="currency">{}</span></span>', f"{amount:,.2f}", currency
    )


def moment(at: datetime) -> SafeString:
    """Format a time to the minute, in local time, with a machine-readable value."""
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}">{}</time>', local.isoformat(), f"{local:%Y-%m-%d %H:%M}"
    )


def instant(at: datetime) -> SafeString:
    """Format a time to the second, for events in quick succession."""
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}">{}</time>', local.isoformat(), f"{local:%Y-%m-%d %H:%M:%S}"
    )


def clock(at: datetime) -> str:
    """Format ``14:03:07`` for today, with the date for any other day."""
    local = timezone.localtime(at)
    today = timezone.localdate()
    return f"{local:%H:%M:%S}" if local.date() == today else f"{local:%Y-%m-%d %H:%M:%S}"
