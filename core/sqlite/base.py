"""Django's SQLite backend, with a queue of those who write.

Within a process everybody writes in turn (``queue``); so at most one thread of each process waits
for another process, and looks for the lock every millisecond. Reads wait for nobody.
"""

import re
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

from core.sqlite.queue import Patience, WriteQueue, queue_of

if TYPE_CHECKING:

    class DjangoWrapper(base.DatabaseWrapper):
        """Django's connection with what its type stubs lack."""

        def _start_transaction_under_autocommit(self) -> None: ...
        def _commit(self) -> None: ...
        def _rollback(self) -> None: ...
        def _close(self) -> None: ...

else:
    DjangoWrapper = base.DatabaseWrapper

DEFAULT_TIMEOUT = 5.0  # seconds; of the sqlite3 module
LOOK_AGAIN = 2  # ms for which SQLite itself waits: it looks after each of them
WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)


class QueuedCursor(base.SQLiteCursorWrapper):
    """Cursor whose statements wait for their turn if they write outside of a transaction."""

    database: "DatabaseWrapper"

    def execute(self, query: str, params: Any = None) -> Any:
        run = partial(super().execute, query, params)
        return self.database.write(run) if self._is_single_write(query) else run()

    def executemany(self, query: str, param_list: Any) -> Any:
        run = partial(super().executemany, query, list(param_list))
        return self.database.write(run) if self._is_single_write(query) else run()

    def _is_single_write(self, query: str) -> bool:
        return not self.connection.in_transaction and WRITES.match(query) is not None


class DatabaseWrapper(DjangoWrapper):
    """Connection whose transactions and single writes wait for their turn."""

    _has_turn = False

    @property
    def _queue(self) -> WriteQueue:
        return queue_of(str(self.settings_dict["NAME"]))

    @property
    def _timeout(self) -> float:
        return float(self.settings_dict["OPTIONS"].get("timeout", DEFAULT_TIMEOUT))

    def create_cursor(self, _name: str | None = None) -> QueuedCursor:
        cursor: QueuedCursor = self.connection.cursor(factory=QueuedCursor)
        cursor.database = self
        return cursor

    def write[T](self, run: Callable[[], T]) -> T:
        """Run one statement in its turn.

        It may write until its rows are read; whoever comes next looks again after a millisecond.
        """
        self._take_turn()
        try:
            return self._insist(run)
        finally:
            self._leave()

    def _start_transaction_under_autocommit(self) -> None:
        self._take_turn()
        try:
            self._insist(super()._start_transaction_under_autocommit)
        except BaseException:
            self._leave()
            raise

    def _take_turn(self) -> None:
        self._patience = Patience(self._timeout)
        if not self._queue.enter(timeout=self._timeout):
            raise OperationalError("database is locked by another thread of this process")
        self._has_turn = True

    def _insist[T](self, run: Callable[[], T]) -> T:
        """Run a statement that takes the write lock as soon as no other process has it."""
        self.connection.execute(f"PRAGMA busy_timeout = {LOOK_AGAIN}")
        try:
            while True:
                try:
                    return run()
                except (OperationalError, sqlite3.OperationalError) as error:
                    if "is locked" not in str(error) or not self._patience.left:
                        raise
        finally:
            self.connection.execute(f"PRAGMA busy_timeout = {round(self._timeout * 1000)}")

    def _leave(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._queue.leave()

    def _commit(self) -> None:
        super()._commit()
        self._leave()

    def _rollback(self) -> None:
        super()._rollback()
        self._leave()

    def _close(self) -> None:
        try:
            super()._close()
        finally:
            self._leave()
