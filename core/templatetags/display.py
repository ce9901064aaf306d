"""Template filters for amounts and times, as the lists show them."""

from decimal import Decimal

from django import template

from audit import times
from audit.words import grouped
from core.admin import display

register = template.Library()
register.simple_tag(display.money)
register.filter(display.moment)
register.filter(display.instant)
register.filter(display.badge)
register.filter(display.person_name)
register.filter(display.clock)
register.filter(times.day)
register.filter(times.hour)
register.filter(times.seconds)
register.simple_tag(display.deadline)
register.simple_tag(times.zone_sentence)


@register.filter
def value_shown(contents: str) -> str:
    """Return a value that is only read: an amount with its groups, and what stands for none."""
    return grouped(contents) if contents.strip() else "-"


@register.filter
def count(number: int) -> str:
    """Format a number of rows that may be over a thousand."""
    return f"{number:,}"


@register.filter
def figures(amount: Decimal) -> str:
    """Format an amount in a column whose heading has the currency."""
    return f"{amount:,.2f}"
