"""How templates show amounts, statuses and times; the same as the lists do."""

from decimal import Decimal

from django import template

from applications.admin import display
from core.admin import display as core_display

register = template.Library()
register.simple_tag(core_display.money)
register.filter(core_display.moment)
register.filter(core_display.instant)
register.filter(display.status_badge)
register.filter(core_display.badge)
register.filter(display.outcome_badge)
register.filter(core_display.clock)


@register.filter
def figures(amount: Decimal) -> str:
    """An amount in a column whose heading says the currency."""
    return f"{amount:,.2f}"
