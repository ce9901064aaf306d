"""A few long-lived threads own the database connections; step bodies are handed to them.

The durable SDK runs the handler and each parallel branch in short-lived threads. A
connection per such thread leaks or locks; a fresh one per step costs a quarter of the
throughput. So: one owner thread on SQLite, which has one writer anyway, and a few on
PostgreSQL. On Lambda the owners outlive an invocation, and so do their connections.

An owner never waits for anything but its database: what a body leaves to be sent after its commit
(``run_outside``) is sent by the thread that handed the body over.
"""

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

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

    @property
    def is_mine(self) -> bool:
        """Return whether this thread is one of the owners."""
        return getattr(self.mine, "owner", False)

    def run[T](self, body: Callable[[], T]) -> T:
        if self.is_mine:
            return body()
        context = contextvars.copy_context()
        left: list[Callable[[], object]] = []
        try:
            return self.pool.submit(context.run, self._run, body, left).result()
        finally:  # also after an error: what was left was committed before it
            for work in left:
                work()

    def _run[T](self, body: Callable[[], T], left: list[Callable[[], object]]) -> T:
        close_old_connections()  # one that broke while nobody looked is replaced
        self.mine.left = left
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


def run_outside(work: Callable[[], Any], *, then: "Callable[[Future[Any]], object]") -> None:
    """Let what an owner's thread must not wait for run once its body has returned.

    ``work`` runs on the thread that handed the body over, and ``then`` takes its outcome on an
    owner again. It raises nothing. Only on an owner's thread.
    """

    def run() -> None:
        outcome = outcome_of(work)
        run_in_db_thread(lambda: then(outcome))

    if _owners is None or not _owners.is_mine:
        raise RuntimeError("this thread owns no connection")
    _owners.mine.left.append(run)


def outcome_of(work: Callable[[], Any]) -> "Future[Any]":
    """Run ``work`` here and now; returns what it returned or raised."""
    future: Future[Any] = Future()
    try:
        future.set_result(work())
    except Exception as error:  # noqa: BLE001 - who takes the future looks at it
        future.set_exception(error)
    return future


def is_owner() -> bool:
    """Return whether this thread owns a connection, which others wait for."""
    return _owners is not None and _owners.is_mine


def close() -> None:
    """Let the owners and their connections go; the next call makes new ones."""
    global _owners
    with _lock:
        owners, _owners = _owners, None
    if owners is not None:
        owners.close()
