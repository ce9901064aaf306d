"""Docstrings of the product name an object and a verb, in plain technical English.

The house rule is in ``docs/glossary.md``: one word per thing, no riddles, no metaphors. Only the
mechanical part of it is tested here.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from loanoffice.logged_errors import OWN

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (*sorted(OWN), "benchmarks")
QUESTION = re.compile(r"(What|Who|Whose|Whoever|Whether|Where|Why|How|Whatever|Everything)\b")
BANNED = re.compile(
    r"\b(front )?doors?\b|\btold\b|\bmends?\b|\bby hand\b|\bin the hands? of\b|\blingers?\b|\bshy\b"
    r"|\bspoken to\b|\bbooks\b|\bscratch\b|\bmirrors?\b|\bsay so\b"
    r"|\ba case\b|\bcases\b"
)


def modules(package: str) -> Iterator[Path]:
    for path in sorted((ROOT / package).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if "/migrations/" not in name:
            yield path


def docstrings(path: Path) -> Iterator[tuple[str, str]]:
    """Every docstring of a module with its place."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            name = getattr(node, "name", "")
            text = ast.get_docstring(node)
            if text:
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)} {name}".strip(), text


@pytest.mark.parametrize("package", [*PACKAGES, "docs", "tests"])
def test_docstrings_begin_with_an_object_or_a_verb(package: str) -> None:
    found = [
        f"{place}: {text.splitlines()[0]}"
        for path in modules(package)
        for place, text in docstrings(path)
        if QUESTION.match(text)
    ]
    assert found == []


@pytest.mark.parametrize("package", PACKAGES)
def test_docstrings_use_no_metaphor(package: str) -> None:
    found = [
        f"{place}: {match[0]!r}"
        for path in modules(package)
        for place, text in docstrings(path)
        for match in BANNED.finditer(text)
    ]
    assert found == []
