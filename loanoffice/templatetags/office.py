"""Template filters of the front page: counts and durations."""

from datetime import timedelta

from django import template

from workflows.admin.durations import span

register = template.Library()


@register.filter
def many(number: int) -> str:
    """Format a count: ``12,345``."""
    return f"{number:,}"


@register.filter
def at_most(number: int, most: int) -> str:
    """Format a count that was limited to ``most``: ``99+`` stands for 100 or more."""
    return f"{most - 1}+" if number >= most else f"{number}"


@register.filter
def took(spent: timedelta) -> str:
    """Format a duration in its two largest units; to the minute once it is one."""
    seconds = spent.total_seconds()
    return span(seconds if seconds < 60 else seconds - seconds % 60)
