"""Compute for how long a message that was not sent is put off."""

import random
from datetime import timedelta

FIRST_DELAY = 1.0  # seconds
LONGEST_DELAY = 300.0  # seconds


def backoff(attempts: int) -> timedelta:
    """Exponential backoff with equal jitter (AWS Architecture Blog, 2015)."""
    longest: float = min(FIRST_DELAY * 2 ** (attempts - 1), LONGEST_DELAY)
    return timedelta(seconds=longest / 2 + random.uniform(0, longest / 2))
