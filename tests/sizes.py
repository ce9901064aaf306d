"""Choose how much a test does: little in ``make test``, much in ``make test-full``.

A test that asks for a size carries the marker ``long``, by which ``make test-full`` finds what
to run once more with ``LOANOFFICE_TEST_LONG=1``.
"""

import os
from collections.abc import Iterable

LONG = os.environ.get("LOANOFFICE_TEST_LONG") == "1"


def size(*, short: int, long: int, variable: str = "") -> int:
    """``short`` or ``long``, or what the environment's ``variable`` says."""
    return int(os.environ.get(variable) or (long if LONG else short))


def some[T](values: Iterable[T], *, of: int) -> list[T]:
    """All of the values in the long run, every ``of``-th one in the short run.

    For parameters that stand for many of one kind: each row of a table, each odd value.
    """
    return list(values)[:: size(short=of, long=1)]
