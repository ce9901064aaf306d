"""Rate limits: ``600/min``. Pure."""

import re
from typing import NamedTuple, Self

PERIODS = {"s": 1, "min": 60, "hour": 3600, "day": 86_400}  # seconds
SECOND = 1_000_000  # microseconds, the unit of everything here
MOST = 10_000  # calls a second: a step between two is rounded by a hundredth at most
WRITTEN = re.compile(r"([1-9][0-9]{0,8})/(s|min|hour|day)", re.ASCII)
SENTENCE = "Write a number of calls and a period, as in 600/min (s, min, hour or day)."
TOO_MANY = f"At most {MOST:,} calls a second can be counted."


class Rate(NamedTuple):
    """``limit`` calls at once at most, and one more every ``step`` microseconds."""

    limit: int
    step: int

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Parse a rate; ``None`` for an empty text: no limit. Raises ``ValueError``."""
        if not text:
            return None
        found = WRITTEN.fullmatch(text)
        if found is None:
            raise ValueError(SENTENCE)
        limit, seconds = int(found[1]), PERIODS[found[2]]
        if limit > MOST * seconds:
            raise ValueError(TOO_MANY)
        return cls(limit=limit, step=seconds * SECOND // limit)

    @property
    def period(self) -> int:
        """Return the microseconds after which the whole limit is available again."""
        return self.limit * self.step


class Verdict(NamedTuple):
    """The result for one call: allowed or not, and what the caller has left.

    ``reset``: seconds until all of ``limit`` is there again; ``retry_after``: until one call
    is, 0 when it is allowed. Both are rounded up, so a caller that waits that long is not refused.
    """

    limit: int
    remaining: int
    reset: int
    retry_after: int = 0

    @property
    def allowed(self) -> bool:
        return self.retry_after == 0


def verdict(*, rate: Rate, full_at: int, allowed: bool, now: int) -> Verdict:
    """Decide on one call.

    ``full_at``: when all of the limit will be available again. Both in microseconds since 1970.
    """
    left = max(now + rate.period - full_at, 0) // rate.step
    return Verdict(
        limit=rate.limit,
        remaining=min(left, rate.limit),
        reset=_seconds(full_at - now),
        retry_after=0 if allowed else max(1, _seconds(full_at + rate.step - rate.period - now)),
    )


def _seconds(span: int) -> int:
    return max(0, -(-span // SECOND))
