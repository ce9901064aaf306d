"""Waiting for something that happens elsewhere, with a deadline instead of a guess."""

import time
from collections.abc import Callable


def eventually[T](look: Callable[[], T], *, seconds: float = 30, what: str = "") -> T:
    """Call ``look`` until it returns something true; fail when the time is over."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {seconds} s: {what or look}")
        time.sleep(0.02)
    return found
