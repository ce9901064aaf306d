"""Tests that do less in ``make test`` carry ``long``, by which CI finds what to run at length."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SIZES = {"size", "some", "LONG"}


def names_in(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def is_long(decorators: list[ast.expr]) -> bool:
    return any(ast.unparse(each).startswith("pytest.mark.long") for each in decorators)


def unmarked(source: str) -> list[str]:
    """Return the tests of a module that depend on a size and do not carry the marker."""
    tree = ast.parse(source)
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    sized = {
        alias.asname or alias.name
        for node in imports
        if node.module == "tests.sizes"
        for alias in node.names
        if alias.name in SIZES
    }
    if not sized:
        return []
    found = []
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets = {each.id for each in node.targets if isinstance(each, ast.Name)}
            if "pytestmark" in targets and "mark.long" in ast.unparse(node):
                return []
            if names_in(node.value) & sized:
                sized |= targets
        elif isinstance(node, ast.FunctionDef) and names_in(node) & sized:
            if not node.name.startswith("test_"):
                sized.add(node.name)
            elif not is_long(node.decorator_list):
                found.append(node.name)
    return found


def test_tests_that_ask_for_a_size_are_run_at_length_as_well() -> None:
    found = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        source = path.read_text()
        if "tests.sizes" in source and (names := unmarked(source)):
            found[str(path.relative_to(TESTS))] = names
    assert found == {}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("MANY = size(short=1, long=2)\ndef test_x():\n    assert MANY\n", ["test_x"]),
        ("def rows():\n    return some([1], of=2)\ndef test_x():\n    rows()\n", ["test_x"]),
        ("@pytest.mark.parametrize('a', some([1], of=2))\ndef test_x(a):\n    pass\n", ["test_x"]),
        ("@pytest.mark.long\ndef test_x():\n    size(short=1, long=2)\n", []),
        ("pytestmark = [pytest.mark.long]\ndef test_x():\n    size(short=1, long=2)\n", []),
        ("def test_x():\n    pass\n", []),
    ],
)
def test_dependence_is_found_and_the_marker_ends_it(source: str, names: list[str]) -> None:
    assert unmarked(f"from tests.sizes import size, some\n{source}") == names
