"""How the front page shows counts and spans of time."""

from datetime import timedelta

from django import template

from workflows.admin.history import span

register = template.Library()


@register.filter
def many(number: int) -> str:
    """``12,345``"""
    return f"{number:,}"


@register.filter
def at_most(number: int, most: int) -> str:
    """A count that was not counted any further than ``most``: ``99+`` stands for 100 or more."""
    return f"{most - 1}+" if number >= most else f"{number}"


@register.filter
def took(spent: timedelta) -> str:
    """A span in its two largest units; to the minute once it is one."""
    seconds = spent.total_seconds()
    return span(seconds if seconds < 60 else seconds - seconds % 60)
