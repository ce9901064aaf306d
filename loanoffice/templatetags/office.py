"""Template filters of the front page, and the menu of pages outside of the admin."""

from datetime import timedelta
from typing import Any

from django import template
from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from core.admin.display import due_in_words, money
from loanoffice.amounts import Amounts
from workflows.admin.durations import span

register = template.Library()
register.simple_tag(due_in_words)


@register.filter
def many(number: int) -> str:
    """Format a count: ``12,345``."""
    return f"{number:,}"


@register.simple_tag
def amounts(found: Amounts) -> SafeString | str:
    """Format sums of several currencies: ``150,000.00 CAD, 2,000.00 USD``, or ``nothing``."""
    if not found:
        return "nothing"
    return format_html_join(", ", "{}", ((money(amount, currency),) for amount, currency in found))


@register.filter
def at_most(number: int, most: int) -> str:
    """Format a count that was limited to ``most``: ``99+`` stands for 100 or more."""
    return f"{most - 1}+" if number >= most else f"{number}"


@register.filter
def took(spent: timedelta) -> str:
    """Format a duration in its two largest units; to the minute once it is one."""
    seconds = spent.total_seconds()
    return span(seconds if seconds < 60 else seconds - seconds % 60)


@register.inclusion_tag("admin/menu.html", takes_context=True)
def staff_menu(context: template.Context) -> dict[str, Any]:
    """Show the menu of a signed-in member of staff on an error page; nothing to others."""
    request = context["request"]
    if not admin.site.has_permission(request):
        return {"apps": []}
    apps = admin.site.get_app_list(request)
    csrf_token = context.get("csrf_token")
    return {"apps": apps, "request": request, "user": request.user, "csrf_token": csrf_token}
