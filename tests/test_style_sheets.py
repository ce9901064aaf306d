"""Style sheets for a dark screen change colours, and nothing else.

The browser tests rely on it: by dark they ask axe for its rules about colours only.
"""

import re
from pathlib import Path

from django.contrib.staticfiles import finders

SCHEME = re.compile(r"@media[^{]*prefers-color-scheme[^{]*\{((?:[^{}]*\{[^{}]*\})*)[^{}]*\}")
RULE = re.compile(r"\{([^{}]*)\}")


def sheets() -> list[Path]:
    return [
        Path(storage.path(name))
        for finder in finders.get_finders()
        for name, storage in finder.list([])
        if name.endswith(".css")
    ]


def test_a_dark_screen_differs_in_colours_only() -> None:
    seen = 0
    for sheet in sheets():
        text = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
        assert text.count("prefers-color-scheme") == len(SCHEME.findall(text)), sheet.name
        for block in SCHEME.findall(text):
            for rule in RULE.findall(block):
                for declaration in filter(None, map(str.strip, rule.split(";"))):
                    name = declaration.partition(":")[0].strip()
                    assert name.startswith("--") or name == "color-scheme", (sheet.name, name)
                    seen += 1
    assert seen > 20
