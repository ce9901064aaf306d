"""A table that scrolls sideways on a phone can be scrolled with the keyboard."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from tests.test_docstrings import PACKAGES

WIDE = re.compile(r'<div class="wide\b[^>]*>(?:\s*<table class="[^"]*")?')


def of_templates() -> list[tuple[str, str]]:
    """Every element that scrolls sideways, with the table that it begins with."""
    paths = [
        path
        for package in PACKAGES
        for path in Path(settings.BASE_DIR, package).rglob("templates/**/*.html")
    ]
    return [(path.name, found) for path in paths for found in WIDE.findall(path.read_text())]


@pytest.mark.parametrize(("template", "element"), of_templates())
def test_element_that_scrolls_takes_the_focus_and_has_a_name(template: str, element: str) -> None:
    """Cards are no table any more where there is little room: their rows stand below each other."""
    if re.search(r'<table class="[^"]*\bcards\b', element):
        return
    assert 'tabindex="0"' in element, template
    assert re.search(r'role="(group|region)" aria-label(ledby)?="', element), template


def test_walk_finds_them() -> None:
    assert len(of_templates()) >= 14


def test_no_list_of_facts_has_a_role_that_hides_what_it_is() -> None:
    """With a role of its own its names and values belong to no list any more."""
    paths = [
        path
        for package in PACKAGES
        for path in Path(settings.BASE_DIR, package).rglob("templates/**/*.html")
    ]
    assert [path.name for path in paths if re.search(r"<dl\b[^>]*\brole=", path.read_text())] == []
