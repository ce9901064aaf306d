"""A disk that refuses writes: inside this process by SQLite's connection, outside by the kernel.

``FaultyConnection`` is a connection of ``sqlite3`` whose writes fail when its ``disk`` says so.
``full`` takes the room on the disk from another process: the kernel refuses every write beyond
``ROOM``, where the engine's log of writes is by then, and SQLite reports it as it does a full disk.
"""

import contextlib
import resource
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOM = 64 * 1024  # bytes of a file that can be written all the same: effects, lines of the log

WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "BEGIN", "COMMIT")


class Disk:
    """Counts the statements that write, and says which fail."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.writes = 0
        self.refused = 0
        self.fail_every = 0
        self.fail_at = 0

    def begin(self, *, every: int = 0, at: int = 0) -> None:
        """Count anew; refuse every so-manieth write, or one of them, or none."""
        with self._lock:
            self.writes = self.refused = 0
            self.fail_every, self.fail_at = every, at

    def write(self) -> None:
        """Count a write, or refuse it."""
        with self._lock:
            self.writes += 1
            number = self.writes
            fails = number == self.fail_at or (self.fail_every and number % self.fail_every == 0)
            if not fails:
                return
            self.refused += 1
        raise sqlite3.OperationalError("database or disk is full")


class FaultyConnection(sqlite3.Connection):
    """A connection on that disk."""

    disk = Disk()

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql.lstrip().startswith(WRITES):
            self.disk.write()
        return super().execute(sql, *parameters)


@contextlib.contextmanager
def full(pid: int, data: Path) -> Iterator[None]:
    """No room on the disk for this process, for as long as the block lasts."""
    assert (data / "engine.db-wal").stat().st_size > ROOM
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (ROOM, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
