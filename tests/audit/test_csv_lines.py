"""Lines of the exports: no reader finds a formula in them, whatever it takes for a separator."""

import csv
import io
import re
import tomllib
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest
from django.conf import settings

from audit.admin.csv_lines import csv_line

SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
SEPARATORS = ",;\t|:^~"
MODULE = "audit/admin/csv_lines.py"
PACKAGES = tomllib.loads((Path(settings.BASE_DIR) / "pyproject.toml").read_text())["tool"][
    "importlinter"
]["root_packages"]


def read(line: str, separator: str) -> list[str]:
    """Read as a spreadsheet does: without quotes and blanks in front of a cell's text."""
    rows = csv.reader(io.StringIO(line, newline=""), delimiter=separator)
    unquoted = csv.reader(io.StringIO(line, newline=""), delimiter=separator, quotechar=None)
    return [
        cell.lstrip(' \t\r\n"') for reader in (rows, unquoted) for row in reader for cell in row
    ]


@pytest.mark.parametrize("separator", [*SEPARATORS, " "])
def test_no_reader_finds_a_formula(separator: str) -> None:
    for sign, before in product(SIGNS, ["", separator, "\n", "\r\n", f"{separator} ", "\v"]):
        for quote in ("", '"', ' "'):
            evil = f'Bob{before}{quote}{sign}1+cmd|"/C calc"!A0'
            if before == quote == "":
                evil = evil.removeprefix("Bob")
            line = csv_line(["LOAN-1", evil, Decimal("1.00"), 60])

            found = [cell for cell in read(line, separator) if cell.startswith(tuple(SIGNS))]

            assert not found, (evil, line)


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("Bob;=1+2", '"Bob;\'=1+2"'),
        ("Bob\t=1+2", '"Bob\t\'=1+2"'),
        ("=1+2", '"\'=1+2"'),
        ("00123", '"00123"'),
        ("1E5", '"1E5"'),
        ("Anne-Marie Smith - Jones", '"Anne-Marie Smith - Jones"'),
        ("2026-11-29T09:00:00-05:00", '"2026-11-29T09:00:00-05:00"'),
        ("a•••@e•••.com", '"a•••@e•••.com"'),
        ('He said "yes", twice', '"He said ""yes"", twice"'),
        ("", '""'),
        (None, '""'),
        (True, "True"),
        (Decimal("150000.00"), "150000.00"),
        (-60, "-60"),
    ],
)
def test_text_is_quoted_and_number_is_not(cell: object, shown: str) -> None:
    assert csv_line([cell]) == f"{shown}\r\n"


def test_every_export_writes_its_lines_here() -> None:
    """Another writer of CSV in the product would not be covered by these tests."""
    root = Path(settings.BASE_DIR)
    sources = {
        path.relative_to(root).as_posix(): path.read_text()
        for package in PACKAGES
        for path in (root / package).rglob("*.py")
    }
    writers = [
        name for name, text in sources.items() if re.search(r"^\s*(import|from) csv\b", text, re.M)
    ]
    exports = [name for name, text in sources.items() if "text/csv" in text]

    assert writers == [MODULE]
    assert len(exports) == 2
    assert all("import BYTE_ORDER_MARK, csv_line" in sources[name] for name in exports)
