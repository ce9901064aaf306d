"""Template filters for the texts of the OpenAPI document."""

import re

from django import template
from django.utils.html import conditional_escape, format_html_join
from django.utils.safestring import SafeString, mark_safe

register = template.Library()
CODE = re.compile(r"`+([^`]+)`+")
LINK = re.compile(r"\[([^\]]+)\]\((https://[^)\s]+)\)")


@register.filter
def coded(text: str) -> SafeString:
    """Escape a text, with words in backquotes as code, and links as links."""
    escaped = CODE.sub(r"<code>\1</code>", conditional_escape(text))
    return mark_safe(LINK.sub(r'<a href="\2">\1</a>', escaped))  # noqa: S308 - escaped above


@register.filter
def paragraphs(text: str) -> SafeString:
    """Format as ``coded``, in paragraphs that empty lines separate."""
    parts = [part for part in re.split(r"\n\s*\n", text.strip()) if part]
    return format_html_join("\n", "<p>{}</p>", ((coded(part),) for part in parts))
