"""Waiting for something that happens elsewhere, with a deadline instead of a guess."""

import time
from collections.abc import Callable

SHORTEST_PAUSE, LONGEST_PAUSE = 0.01, 0.1  # seconds between two looks
SHARE = 0.05  # a pause is this part of what was waited already: to look costs what others need


def eventually[T](look: Callable[[], T], *, seconds: float = 30, what: str = "") -> T:
    """Call ``look`` until it returns something true; fail when the time is over."""
    began = time.monotonic()
    while not (found := look()):
        waited = time.monotonic() - began
        if waited > seconds:
            raise AssertionError(f"did not happen within {seconds} s: {what or look}")
        time.sleep(min(max(SHORTEST_PAUSE, waited * SHARE), LONGEST_PAUSE))
    return found
