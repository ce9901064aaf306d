"""``once``, and that no value of the process is made by ``functools.cache`` instead."""

import ast
from pathlib import Path

import pytest

from core.once import once
from tests.test_docstrings import PACKAGES, ROOT, modules


def test_value_is_made_once_and_anew_after_it_was_forgotten() -> None:
    made: list[int] = []

    @once
    def value() -> int:
        made.append(1)
        return len(made)

    assert (value(), value()) == (1, 1)
    value.forget()
    assert value() == 2


def test_error_is_raised_to_the_caller_and_the_value_made_at_the_next_call() -> None:
    errors = [ValueError("not yet")]

    @once
    def value() -> str:
        if errors:
            raise errors.pop()
        return "made"

    with pytest.raises(ValueError, match="not yet"):
        value()
    assert value() == "made"


def cached(path: Path) -> list[str]:
    """Functions without parameters under ``functools.cache``, which threads may run together."""
    return [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
        and not (node.args.args or node.args.kwonlyargs)
        and any("cache" in ast.unparse(decorator) for decorator in node.decorator_list)
    ]


@pytest.mark.parametrize("package", [p for p in PACKAGES if p not in {"benchmarks", "deploy"}])
def test_values_of_the_process_are_made_by_once(package: str) -> None:
    assert [found for path in modules(package) for found in cached(path)] == []
