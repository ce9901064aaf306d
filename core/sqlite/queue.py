"""Queue for the write lock of an SQLite database: the threads of a process write in turn.

SQLite itself has no queue. Whoever finds the lock taken looks again after 1, 2, 5 ... 100 ms, so
the longer somebody has waited the seldomer they look, and whoever comes meanwhile overtakes them.
"""

import threading
from collections import deque
from time import monotonic


class WriteQueue:
    """Turns to write in one database, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_taken = False
        self._waiting: deque[threading.Event] = deque()

    def enter(self, *, timeout: float) -> bool:
        """Wait for one's turn and keep it; false when it did not come in so many seconds."""
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return True
            mine = threading.Event()
            self._waiting.append(mine)
        if mine.wait(timeout):
            return True
        with self._lock:
            if mine.is_set():  # it came at the last moment
                return True
            self._waiting.remove(mine)
            return False

    def leave(self) -> None:
        """End one's turn: it is the next one's, who need not be this thread."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._is_taken = False


_queues: dict[str, WriteQueue] = {}
_queues_lock = threading.Lock()


def queue_of(name: str) -> WriteQueue:
    """Return the queue of a database file for all connections of this process."""
    with _queues_lock:
        return _queues.setdefault(name, WriteQueue())


class Patience:
    """The seconds that are left of a wait."""

    def __init__(self, seconds: float) -> None:
        self._ends_at = monotonic() + seconds

    @property
    def left(self) -> float:
        return max(0.0, self._ends_at - monotonic())
