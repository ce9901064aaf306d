"""How templates show amounts and times; the same as the lists do."""

from decimal import Decimal

from django import template

from core.admin import display

register = template.Library()
register.simple_tag(display.money)
register.filter(display.moment)
register.filter(display.instant)
register.filter(display.badge)
register.filter(display.clock)


@register.filter
def figures(amount: Decimal) -> str:
    """An amount in a column whose heading says the currency."""
    return f"{amount:,.2f}"
