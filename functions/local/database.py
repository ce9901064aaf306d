"""Keep the engine's state in one SQLite file: connection, schema and transactions.

Everything the engine must remember across a crash is here. One connection in WAL mode
serves every thread behind one lock, because SQLite has one writer anyway. With
``synchronous=NORMAL`` a killed process loses nothing that was committed; only a power
cut could lose the last transactions, which is enough for a laptop.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

type Value = str | int | float | None
type Row = tuple[Value, ...]

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
    resume_token TEXT
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


class Database:
    """One connection, used by all threads in turn."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            path, check_same_thread=False, isolation_level=None, timeout=30
        )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(SCHEMA)

    def read(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Return every row of a query."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def write(self, sql: str, values: Sequence[Value] = ()) -> int:
        """Run one statement, durable when this returns; return the number of rows it changed."""
        with self._lock:
            return self._connection.execute(sql, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run several statements in one transaction."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the connection; later calls raise ``sqlite3.ProgrammingError``."""
        with self._lock:
            self._connection.close()
