"""Tests whose result may differ between SQLite and PostgreSQL carry ``both_databases``.

``make test`` runs them on both. What a test module itself imports and names decides, not what
it reaches through the product's services: ``make test-full`` runs every test on both.
"""

import ast
import re
from pathlib import Path

import pytest
from django.contrib.auth.models import Group

TESTS = Path(__file__).parent
# Run on one database only, or in an environment of their own.
ELSEWHERE = ("browser", "deploy")
# Locks, big-table helpers, schema changes, triggers, query plans, threads that race.
MODULES = re.compile(
    r"^(?!functions\.local)(.*\.)?"
    r"(locking|database|db_threads|migration_operations|append_only|migrations|plans|together)$"
)
NAMES = {"IntegrityError", "RawSQL", "RunSQL", "MigrationExecutor", "MigrationRecorder"}
ATTRIBUTES = re.compile(r"\b(connection\.(cursor|vendor)|select_for_update|objects\.raw)$")
# A module without any of these words touches nothing of that kind: it need not be parsed.
WORDS = re.compile(
    r"\b(locking|database|db_threads|migration_operations|append_only|migrations|plans|together"
    r"|connection|select_for_update|raw)\b|" + "|".join(sorted(NAMES))
)


def modules() -> list[Path]:
    paths = sorted(TESTS.rglob("test_*.py"))
    return [path for path in paths if path.relative_to(TESTS).parts[0] not in ELSEWHERE]


def marks(node: ast.AST) -> set[str]:
    """The names ``m`` of ``pytest.mark.m`` in a piece of code."""
    return {
        found.attr
        for found in ast.walk(node)
        if isinstance(found, ast.Attribute)
        and isinstance(found.value, ast.Attribute)
        and found.value.attr == "mark"
    }


def touching_imports(tree: ast.Module) -> set[str]:
    """The names that stand in this module for something of ``MODULES`` or ``NAMES``."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            origin = getattr(node, "module", None) or ""
            for alias in node.names:
                path = f"{origin}.{alias.name}".strip(".")
                if MODULES.match(origin) or MODULES.match(path) or alias.name in NAMES:
                    found.add((alias.asname or alias.name).partition(".")[0])
    return found


def touched(node: ast.AST, imported: set[str]) -> set[str]:
    """Return the names used by a test, fixture or helper that may differ between databases."""
    named = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} & imported
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and ATTRIBUTES.search(ast.unparse(each)):
            named.add(each.attr)
    return named


def reasons(source: str) -> list[str]:
    """Each name in a test module that asks for the marker where the marker is missing."""
    if not WORDS.search(source):
        return []
    tree = ast.parse(source)
    imported = touching_imports(tree)
    code = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    for node in code:
        is_for_all = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
        if is_for_all and "both_databases" in marks(node):
            return []
    return [
        f"{getattr(node, 'name', f'line {node.lineno}')}: {name}"
        for node in code
        if "both_databases" not in marks(node)
        for name in sorted(touched(node, imported))
    ]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(TESTS)))
def test_module_that_touches_what_differs_carries_the_marker(path: Path) -> None:
    assert reasons(path.read_text()) == []


MARKED = "@pytest.mark.both_databases\n"


@pytest.mark.parametrize(
    "source",
    [
        "from applications import locking\ndef test_x():\n    locking.lock()\n",
        "from audit.append_only import trigger_name\ndef test_x():\n    trigger_name()\n",
        "def test_x():\n    connection.vendor\n",
        "def test_x():\n    Row.objects.select_for_update().get()\n",
        "from django.db import IntegrityError\ndef test_x():\n    assert IntegrityError\n",
        "from tests.together import together\ndef test_x():\n    together(1)\n",
    ],
)
def test_each_kind_is_found_and_the_marker_ends_the_search(source: str) -> None:
    assert reasons(source)
    head, _, test = source.rpartition("def ")
    imports, _, mark = head.rpartition("\n")
    lines = f"{imports}\n{mark}"
    marked = f"{lines}{MARKED}def {test}"
    assert reasons(marked) == []
    assert reasons(f"pytestmark = pytest.mark.both_databases\n{source}") == []
    assert reasons(f"pytestmark = pytest.mark.django_db\n{source}")


def test_test_that_uses_the_database_is_marked(db: None, request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("uses_database")


def test_test_that_does_not_is_neither_marked_nor_let_in(request: pytest.FixtureRequest) -> None:
    assert not request.node.get_closest_marker("uses_database")
    with pytest.raises(RuntimeError, match="Database access not allowed"):
        Group.objects.exists()
