"""Format an amount, a status and a moment for the admin. Words and colours, no rules."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit import times

DAY = timedelta(days=1)


def badge(label: str, tone: str) -> SafeString:
    return format_html('<span class="badge tone-{}">{}</span>', tone, label)


def person_name(person: User | None) -> str:
    """Return the full name of a person, their login where none is known, or nothing of nobody."""
    return "" if person is None else person.get_full_name() or person.get_username()


def money(amount: Decimal, currency: str) -> SafeString:
    """Format ``150,000.00 CAD``: aligned digits, the currency in a muted colour."""
    return format_html(
        '<span class="money">{} <span class="currency">{}</span></span>', f"{amount:,.2f}", currency
    )


def moment(at: datetime) -> SafeString:
    """Format a time to the minute, in local time, with a machine-readable value."""
    return _time(at, times.moment(at))


def instant(at: datetime) -> SafeString:
    """Format a time to the second, for events in quick succession."""
    return _time(at, times.instant(at))


def clock(at: datetime) -> SafeString:
    """Format the time of today, for events in quick succession, or with its date another."""
    return _time(at, times.clock(at))


def deadline(due_at: datetime, expires_at: datetime) -> SafeString:
    """Format ``Due tomorrow 17:08, expires 5 December``, with the full times for programs.

    An expiry that is farther than tomorrow has its day only, and its time in the tooltip.
    """
    now = timezone.now()
    is_near = abs(timezone.localdate(expires_at) - timezone.localdate(now)) <= DAY
    expires = times.near_moment(expires_at, now) if is_near else times.near_day(expires_at, now)
    due = _time(due_at, times.near_moment(due_at, now))
    return format_html("Due {}, expires {}", due, _time(expires_at, expires))


def due_in_words(due_at: datetime, expires_at: datetime) -> SafeString:
    """Format ``in 3 hours``, or a badge ``2 days late`` and until when it can still be decided."""
    now = timezone.now()
    words = times.due_in_words(due_at, now)
    if due_at > now:
        return _time(due_at, words)
    late = _time(due_at, words)
    expires = _time(expires_at, times.near_moment(expires_at, now))
    return format_html(
        '<span class="badge tone-alert">{}</span> <span class="quiet">expires {}</span>',
        late,
        expires,
    )


def _time(at: datetime, shown: str) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        timezone.localtime(at).isoformat(),
        times.instant(at),
        shown,
    )
