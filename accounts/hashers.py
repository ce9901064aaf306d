"""Hash passwords with a bound on how many are hashed at once, so that others still get served.

One hash keeps a processor busy for about half a second, on purpose. Without a bound, a dozen
sign-ins at the same time took all processors from every other request of the process.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from accounts.errors import HashingBusy


class Bound:
    """At most ``at_once`` at work; ``waiting`` more wait for ``seconds`` at most."""

    def __init__(self, *, at_once: int, waiting: int, seconds: float) -> None:
        self._seconds = seconds
        self._work = threading.BoundedSemaphore(at_once)
        self._room = threading.BoundedSemaphore(at_once + waiting)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn and keep it. Raises ``HashingBusy``."""
        if not self._room.acquire(blocking=False):
            raise HashingBusy
        try:
            if not self._work.acquire(timeout=self._seconds):
                raise HashingBusy
            try:
                yield
            finally:
                self._work.release()
        finally:
            self._room.release()


# Every thread that waits here is one that serves nobody else.
BOUND = Bound(at_once=settings.LOANOFFICE_HASHES_AT_ONCE, waiting=6, seconds=3.0)


class BoundedPBKDF2Hasher(PBKDF2PasswordHasher):
    """Django's default hasher, and the same hashes."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        with BOUND.turn():
            return super().encode(password, salt, iterations)
