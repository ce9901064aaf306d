"""Template filter of the admin's lists: each cell names its column, for a narrow screen."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

register = template.Library()
CELLS = ("<td", "<th")


@register.filter
def labels(headers: Iterable[Mapping[str, Any]]) -> list[SafeString]:
    """Return ``data-label`` of each column's cells: its heading, or nothing.

    On a phone a row is a card, and the style sheet shows the label beside the value. A heading
    that is a control of its own (the box that ticks all rows) is no label.
    """
    return [
        SafeString("")
        if isinstance(header["text"], SafeString)
        else format_html(' data-label="{}"', capfirst(header["text"]))
        for header in headers
    ]


@register.filter
def labelled(cells: Iterable[SafeString], labels: Iterable[SafeString]) -> Iterator[SafeString]:
    """Yield a row's cells, as Django renders them, each with the label of its column."""
    for cell, label in zip(cells, labels, strict=True):
        yield SafeString(f"{cell[:3]}{label}{cell[3:]}") if cell.startswith(CELLS) else cell
