"""A few long-lived threads own the database connections; step bodies are handed to them.

The durable SDK runs the handler and each parallel branch in short-lived threads. A
connection per such thread leaks or locks; a fresh one per step costs a quarter of the
throughput. So: one owner thread on SQLite, which has one writer anyway, and a few on
PostgreSQL. On Lambda the owners outlive an invocation, and so do their connections.
"""

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import close_old_connections, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

POSTGRESQL_OWNERS = 4


class DatabaseThreads:
    """The threads and the connections that they opened."""

    def __init__(self, count: int) -> None:
        self.mine = threading.local()
        self.opened: list[BaseDatabaseWrapper] = []
        self.pool = ThreadPoolExecutor(count, "database", initializer=self._begin)

    def _begin(self) -> None:
        self.mine.owner = True
        wrapper = connections["default"]
        wrapper.inc_thread_sharing()  # so that ``close`` may close it
        self.opened.append(wrapper)

    def run[T](self, body: Callable[[], T]) -> T:
        if getattr(self.mine, "owner", False):
            return body()
        context = contextvars.copy_context()
        return self.pool.submit(context.run, self._run, body).result()

    @staticmethod
    def _run[T](body: Callable[[], T]) -> T:
        close_old_connections()  # one that broke while nobody looked is replaced
        return body()

    def close(self) -> None:
        self.pool.shutdown(wait=True)
        for wrapper in self.opened:
            wrapper.close()


_lock = threading.Lock()
_owners: DatabaseThreads | None = None


def run_in_db_thread[T](body: Callable[[], T]) -> T:
    """Run ``body`` on a thread that owns a connection; returns or raises what it does.

    Never call a provider inside: on SQLite everyone else would wait for it.
    """
    global _owners  # noqa: PLW0603
    with _lock:
        if _owners is None:
            _owners = DatabaseThreads(1 if connection.vendor == "sqlite" else POSTGRESQL_OWNERS)
        owners = _owners
    return owners.run(body)


def close() -> None:
    """Let the owners and their connections go; the next call makes new ones."""
    global _owners
    with _lock:
        owners, _owners = _owners, None
    if owners is not None:
        owners.close()
