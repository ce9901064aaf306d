"""Delete what a function's retention time is over for: ended executions and dead events.

Their names stay, with the hash of the payload, because a name is unique for ever. The file gets
smaller: freed pages are given back in small portions, so that nobody waits long for the lock.
"""

import logging
import threading
from collections.abc import Mapping

from aws_durable_execution_sdk_python_testing.clock import Clock

from functions.local.database import Database
from functions.local.errors import StorageError
from functions.local.function import Function
from functions.local.store import WriteThroughStore

SECONDS_A_DAY = 86_400
EVERY = 3600.0  # seconds between two looks
AT_ONCE = 200  # executions deleted in one transaction
PAGES_AT_ONCE = 500  # pages of the file given back in one

logger = logging.getLogger(__name__)


class Retention:
    """Looks at start and every hour, on a thread of its own."""

    def __init__(
        self,
        database: Database,
        functions: Mapping[str, Function],
        *,
        store: WriteThroughStore,
        clock: Clock,
    ) -> None:
        self._database = database
        self._functions = functions
        self._store = store
        self._clock = clock
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Return when nothing is deleted any more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._look()
            except StorageError as error:
                logger.warning("Nothing is deleted for now: %s", error)
            self._stopped.wait(EVERY)

    def _look(self) -> None:
        deleted = 0
        now = self._clock.now().timestamp()
        for name, function in self._functions.items():
            before = now - function.retention_days * SECONDS_A_DAY
            while not self._stopped.is_set():
                arns = self._store.delete_ended(name, before=before, limit=AT_ONCE)
                deleted += len(arns)
                if len(arns) < AT_ONCE:
                    break
            self._database.write(
                "DELETE FROM events WHERE state = 'dead' AND function = ? AND due_at < ?",
                [name, before],
            )
        if deleted:
            logger.info("Deleted %s ended executions whose retention time is over.", deleted)
        while not self._stopped.is_set() and self._database.give_back(PAGES_AT_ONCE):
            continue
