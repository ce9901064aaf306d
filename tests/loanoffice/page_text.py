"""The text of a page, and values in it that are not shown as people read them."""

import re
from html.parser import HTMLParser
from typing import Any

UNGROUPED = re.compile(r"(?<![\w.,/-])\d{4,}\.\d\d(?![\d.])")
NO_VALUE = re.compile(r'<label>([^<]*):</label>\s*<div class="readonly">\s*</div>')


def badly_shown(html: str, text: str) -> list[str]:
    """Return each amount without its groups, and each name without a value."""
    return [
        *(f"not grouped: {amount}" for amount in UNGROUPED.findall(text)),
        *(f"no value: {name}" for name in NO_VALUE.findall(html)),
    ]


class Text(HTMLParser):
    """The text of a page that people read, without what is quoted as a program wrote it."""

    QUOTED = frozenset({"script", "style", "pre", "code", "textarea", "title"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.quoted = 0
        self.feed(html)

    def handle_starttag(self, tag: str, _: Any) -> None:
        self.quoted += tag in self.QUOTED
        self.parts.append(" " if tag in {"td", "th", "li", "p", "dd", "dt", "br", "div"} else "")

    def handle_endtag(self, tag: str) -> None:
        self.quoted -= tag in self.QUOTED

    def handle_data(self, data: str) -> None:
        if not self.quoted:
            self.parts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.parts).split())
