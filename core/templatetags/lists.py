"""Template filter of the admin's lists: each cell names its column, for a narrow screen."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst

register = template.Library()
CELLS = ("<td", "<th")


@register.filter
def labelled(cells: Iterable[SafeString], headers: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a row's cells, as Django renders them, with the column's heading as ``data-label``.

    On a phone a row is a card, and the style sheet shows the label beside the value. A heading
    that is a control of its own (the box that ticks all rows) is no label.
    """
    for cell, header in zip(cells, headers, strict=True):
        heading = header["text"]
        if isinstance(heading, SafeString) or not cell.startswith(CELLS):
            yield cell
            continue
        label = format_html(' data-label="{}"', capfirst(heading))
        yield mark_safe(f"{cell[:3]}{label}{cell[3:]}")  # noqa: S308 - both parts are escaped
