"""Store where a round of reconcile stands, between the passes of the sweep."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Self

from workflows.reconcile.findings import Place


@dataclass
class Round:
    """One round through all comparisons.

    ``after`` is where the comparison ``part`` came to, ``seen`` as in ``Comparison``, and
    ``failures`` the number of passes in a row that the engine did not answer at this place.
    """

    began: datetime
    part: str = ""  # empty: the first
    after: Place = None
    seen: set[int] = field(default_factory=set)
    failures: int = 0

    def stored(self) -> dict[str, Any]:
        """Return the round as JSON has it."""
        return {
            "began": self.began.isoformat(),
            "part": self.part,
            "after": self.after,
            "seen": _ranges(self.seen),
            "failures": self.failures,
        }

    @classmethod
    def from_stored(cls, stored: dict[str, Any]) -> Self:
        """Return the round that ``stored`` describes."""
        return cls(
            began=datetime.fromisoformat(stored["began"]),
            part=stored["part"],
            after=stored["after"],
            seen={key for first, last in stored["seen"] for key in range(first, last + 1)},
            failures=stored["failures"],
        )


def _ranges(keys: Iterable[int]) -> list[list[int]]:
    """Return the first and last of each run of keys: nearly all are next to each other."""
    found = sorted(keys)
    if not found:
        return []
    ends = [(one, two) for one, two in pairwise(found) if two != one + 1]
    firsts = [found[0], *(two for _, two in ends)]
    lasts = [*(one for one, _ in ends), found[-1]]
    return [list(ends) for ends in zip(firsts, lasts, strict=True)]
