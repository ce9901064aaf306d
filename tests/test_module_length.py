"""Modules of the product and of the tests have at most 400 lines."""

import pytest

from tests.test_docstrings import PACKAGES, ROOT, modules

MOST = 400


@pytest.mark.parametrize("package", [*PACKAGES, "tests"])
def test_module_has_at_most_400_lines(package: str) -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines())
        for path in modules(package)
    }
    assert lengths
    assert {name: length for name, length in lengths.items() if length > MOST} == {}
