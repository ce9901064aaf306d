"""``format_html`` refuses to be called without arguments, which a rare state of a row may do."""

import ast
from pathlib import Path

import pytest
from django.conf import settings

from tests.test_docstrings import PACKAGES


def bare_calls(source: str) -> list[int]:
    """The lines in which ``format_html`` is called with the text alone."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "format_html"
        and len(node.args) < 2
        and not node.keywords
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_text_is_formatted_with_something(package: str) -> None:
    paths = Path(settings.BASE_DIR, package).rglob("*.py")

    assert [f"{path}:{line}" for path in paths for line in bare_calls(path.read_text())] == []


def test_call_with_the_text_alone_is_found() -> None:
    assert bare_calls('format_html("<b>Over</b>")') == [1]
    assert bare_calls('format_html("<b>{}</b>", state)') == []
