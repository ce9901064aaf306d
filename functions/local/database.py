"""Keep the engine's state in one SQLite file: connection, schema and transactions.

Everything the engine must remember across a crash is here. One connection in WAL mode
serves every thread behind one lock, because SQLite has one writer anyway. With
``synchronous=NORMAL`` a killed process loses nothing that was committed; only a power
cut could lose the last transactions, which is enough for a laptop.

A statement that SQLite refuses (full disk, locked file, I/O error) is a ``StorageError``, and the
transaction that it belongs to is undone. ``failure`` says why the last write failed, until one
succeeds.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

from functions.local.errors import StorageError

logger = logging.getLogger(__name__)

# Another process may hold the file's lock for this long; far less once a write has failed, so that
# requests do not wait behind each other for a lock that nobody releases.
BUSY_MILLISECONDS = 5_000
BUSY_MILLISECONDS_WHILE_FAILING = 50

type Value = str | int | float | None
type Row = tuple[Value, ...]
type Statement = tuple[str, Sequence[Value]]

SCHEMA = """
CREATE TABLE IF NOT EXISTS executions (
    arn TEXT PRIMARY KEY,
    function TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    status TEXT NOT NULL,
    started_at REAL NOT NULL,
    ended_at REAL,
    data TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS executions_by_start ON executions (function, started_at, arn);
CREATE INDEX IF NOT EXISTS executions_unfinished ON executions (started_at)
    WHERE ended_at IS NULL;
CREATE INDEX IF NOT EXISTS executions_by_status ON executions (status);

CREATE TABLE IF NOT EXISTS names (
    function TEXT NOT NULL,
    name TEXT NOT NULL,
    arn TEXT NOT NULL UNIQUE,
    qualifier TEXT NOT NULL,
    payload TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    PRIMARY KEY (function, name)
);
CREATE INDEX IF NOT EXISTS names_by_name ON names (name);

-- What cannot be read, or not be started: kept for a person, out of the way of the others.
CREATE TABLE IF NOT EXISTS damaged (
    arn TEXT PRIMARY KEY,
    function TEXT,
    name TEXT,
    data TEXT,
    reason TEXT NOT NULL,
    found_at REAL NOT NULL
);

-- One row, rewritten to find out whether writes succeed again.
CREATE TABLE IF NOT EXISTS probes (
    id INTEGER PRIMARY KEY,
    written_at REAL NOT NULL
);

CREATE TABLE IF NOT EXISTS heartbeats (
    callback_id TEXT PRIMARY KEY,
    beat_at REAL NOT NULL
);

CREATE TABLE IF NOT EXISTS pauses (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    arn TEXT NOT NULL,
    token TEXT,
    reason TEXT,
    stops_clock INTEGER NOT NULL,
    paused_at REAL NOT NULL,
    resumed_at REAL,
    resume_token TEXT,
    resume_reason TEXT
);
CREATE INDEX IF NOT EXISTS pauses_by_arn ON pauses (arn);

CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id TEXT NOT NULL,
    function TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at REAL NOT NULL,
    error TEXT
);
"""
INCREMENTAL = 2  # free pages can be given back to the disk
PROBE = "REPLACE INTO probes (id, written_at) VALUES (1, ?)"


class Leave(Protocol):
    """A function that ends a block, and hears whether it raised."""

    def __call__(self, *, failed: bool) -> None:
        """End the block."""


class Bracket:
    """A context manager made of two functions, for blocks that are entered all the time.

    It keeps nothing itself, so one serves all threads, and it costs less than a generator.
    """

    def __init__(self, enter: Callable[[], None], leave: Leave) -> None:
        self._enter = enter
        self._leave = leave

    def __enter__(self) -> None:
        self._enter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave(failed=kind is not None)


class Database:
    """One connection, used by all threads in turn."""

    # Tests put a connection here whose writes fail.
    connection_class: type[sqlite3.Connection] = sqlite3.Connection

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._mine = threading.local()
        self._failure: str | None = None
        self._closed = False
        self._transaction = Bracket(self.enter_transaction, self.leave_transaction)
        self._connection = sqlite3.connect(
            path, check_same_thread=False, isolation_level=None, factory=self.connection_class
        )
        try:
            self._wait_for_locks(BUSY_MILLISECONDS)
            if self._connection.execute("PRAGMA auto_vacuum").fetchone() != (INCREMENTAL,):
                self._connection.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
                self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.executescript(SCHEMA)
            self._add_column("pauses", "resume_reason TEXT")
            # A file that can be read only is found out now, and not by the first request.
            self._connection.execute(PROBE, [time.time()])
        except BaseException:
            self._connection.close()
            raise

    @property
    def failure(self) -> str | None:
        """The reason why the last write failed; ``None`` after one that succeeded."""
        return self._failure

    def read(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Return every row of a query."""
        with self._lock:
            try:
                return self._connection.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise StorageError(str(error)) from error

    def write(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Run one statement and return its rows; durable at once, or with its transaction."""
        in_transaction = getattr(self._mine, "depth", 0)
        with self._lock:
            if in_transaction and not self._mine.begun:
                self._begin()
            rows = self._execute(sql, values)
        if not in_transaction:
            self._succeeded()
        return rows

    def write_with_the_last(self, sql: str, values: Sequence[Value]) -> None:
        """Run a statement at the end of the transaction that is open, or now if none is.

        So the file is not locked from here to there.
        """
        if getattr(self._mine, "depth", 0):
            self._mine.delayed.append((sql, values))
        else:
            self.write(sql, values)

    def write_last(self, statements: Sequence[Statement]) -> None:
        """Run the last statements of a transaction; one that is alone is quicker without it."""
        statements = [*self._mine.delayed, *statements]
        self._mine.delayed = []
        if len(statements) == 1 and not self._mine.begun:
            with self._lock:
                self._execute(*statements[0])
            self._succeeded()
            return
        for statement in statements:
            self.write(*statement)

    def transaction(self) -> Bracket:
        """Run the statements of this thread in one transaction, or in the one that is open.

        It begins with the first write: from there to its end other threads wait.
        """
        return self._transaction

    def enter_transaction(self) -> None:
        """Begin ``transaction``, for a block that is itself a ``Bracket``."""
        depth = getattr(self._mine, "depth", 0)
        if depth == 0:
            self._mine.begun = False
            self._mine.delayed = []
        self._mine.depth = depth + 1

    def leave_transaction(self, *, failed: bool) -> None:
        """End what ``enter_transaction`` began: commit it, or undo it."""
        mine = self._mine
        if mine.depth > 1:
            mine.depth -= 1
            return
        try:
            if not failed:
                self._commit()
            elif mine.begun:
                self._roll_back()
        finally:
            mine.depth = 0
            if mine.begun:
                mine.begun = False
                self._lock.release()

    def _commit(self) -> None:
        try:
            for statement in self._mine.delayed:
                self.write(*statement)
            if not self._mine.begun:
                return
            self._execute("COMMIT")
        except BaseException:
            if self._mine.begun:
                self._roll_back()
            raise
        self._succeeded()

    def give_back(self, pages: int) -> bool:
        """Give free pages of the file back to the disk; return whether there were any."""
        free = self.read("PRAGMA freelist_count")[0][0]
        if not free:
            return False
        self.write(f"PRAGMA incremental_vacuum({pages})")
        # The file itself gets smaller when the log of writes has been copied into it.
        self.write("PRAGMA wal_checkpoint(TRUNCATE)")
        return True

    def check_writable(self) -> None:
        """Raise ``StorageError`` while writes fail: after one that did, another is tried."""
        if self._failure is not None:
            self.write(PROBE, [time.time()])

    def is_writable(self) -> bool:
        """Return false while writes fail."""
        try:
            self.check_writable()
        except StorageError:
            return False
        return True

    def close(self) -> None:
        """Close the connection; later calls raise ``StorageError``."""
        with self._lock:
            self._closed = True
            self._connection.close()

    def _add_column(self, table: str, column: str) -> None:
        """Give a table of an older engine a column that it has not got."""
        known = self._connection.execute(f"PRAGMA table_info({table})")
        if column.split(maxsplit=1)[0] not in {row[1] for row in known}:
            self._connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")

    def _begin(self) -> None:
        self._execute("BEGIN IMMEDIATE")
        self._lock.acquire()  # released at the end of the transaction
        self._mine.begun = True

    def _roll_back(self) -> None:
        # SQLite has undone it already after some errors.
        if not self._closed and self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _execute(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Run a statement of a write; turn an error into a ``StorageError``, and remember it."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            reason = str(error)
            if not self._closed:
                if self._failure is None:
                    logger.exception("The engine cannot write: %s.", reason)
                    self._wait_for_locks(BUSY_MILLISECONDS_WHILE_FAILING)
                self._failure = reason
            raise StorageError(reason) from error

    def _succeeded(self) -> None:
        if self._failure is not None:
            logger.warning("The engine can write again, after: %s.", self._failure)
            self._failure = None
            self._wait_for_locks(BUSY_MILLISECONDS)

    def _wait_for_locks(self, milliseconds: int) -> None:
        self._connection.execute(f"PRAGMA busy_timeout = {milliseconds}")
