"""Write the lines of a CSV export so that no spreadsheet runs a cell as a formula.

UTF-8 with a byte order mark: without one a spreadsheet assumes the machine's code page, and names
with accents come out wrong. Texts are quoted, ids among them; numbers are not.

A sign that would begin a formula gets an apostrophe in front (OWASP, CSV Injection), at the start
of a text and wherever a reader may start another cell. Quotes alone do not help there: a
reader that splits at semicolons takes those after the first comma for text.
"""

import csv
import re
from collections.abc import Iterable
from decimal import Decimal

BYTE_ORDER_MARK = "\ufeff"
# The signs that begin a formula, in their narrow and wide forms.
SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
SEPARATORS = ",;|:^~\t\r\n\v\f"
# Readers drop blanks and quotes in front of a sign. Few separate at a blank, and a sign that
# stands alone is no formula: "Smith - Jones" stays as it is.
BEFORE_FORMULA = re.compile(rf"(?:\A[\s\"]*|[{SEPARATORS}][\s\"]*|\s\"*(?=.\S))(?=[{SIGNS}])")


class _EchoBuffer:
    """A file whose ``write`` returns the line."""

    def write(self, line: str) -> str:
        return line


_WRITER = csv.writer(_EchoBuffer(), quoting=csv.QUOTE_NONNUMERIC)


def csv_line(cells: Iterable[object]) -> str:
    """Return a line: numbers as they are, all else quoted text without formulas."""
    line: str = _WRITER.writerow([_cell(cell) for cell in cells])
    return line


def _cell(value: object) -> object:
    if isinstance(value, int | Decimal):
        return value
    return "" if value is None else escape_formulas(str(value))


def escape_formulas(text: str) -> str:
    """Return a text in which no spreadsheet finds a formula, whatever separates its cells."""
    escaped = BEFORE_FORMULA.sub(r"\g<0>'", text)
    # A cell that begins with such a blank is trimmed, and what follows is looked at.
    return f"'{escaped}" if text.startswith(("\t", "\r", "\n")) else escaped
