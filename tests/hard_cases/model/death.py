"""``kill -9`` for a step's body: its next statement is never run.

A transaction that was under way is rolled back, as the database does when its client is
gone; what was committed before stays. No ``except Exception`` of the product sees it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

OWNERS = "database"  # how the threads of ``workflows.db_threads`` are named


class Killed(BaseException):
    """The process is gone."""


class Death:
    """Counts down the statements of step bodies, when it is asked to."""

    def __init__(self) -> None:
        self.left: int | None = None

    def comes_after(self, statements: int) -> None:
        """The body that runs, or runs next, dies after so many more statements."""
        self.left = statements

    def is_over(self) -> None:
        """A new process: bodies live as long as they like."""
        self.left = None

    def watch(self, execute: Callable[..., Any], *rest: Any) -> Any:
        """Django's execute wrapper."""
        if self.left is not None and threading.current_thread().name.startswith(OWNERS):
            if self.left == 0:
                raise Killed
            self.left -= 1
        return execute(*rest)


@contextmanager
def death() -> Iterator[Death]:
    """A death that may come to every step body until the block ends."""
    lurking = Death()

    def watch(connection: BaseDatabaseWrapper, **_: Any) -> None:
        if lurking.watch not in connection.execute_wrappers:
            connection.execute_wrappers.append(lurking.watch)

    options = connections["default"].settings_dict
    kept = options["CONN_MAX_AGE"]
    # The owners keep their connections, as in production: thousands of bodies run here.
    options["CONN_MAX_AGE"] = None
    connection_created.connect(watch)
    try:
        yield lurking
    finally:
        connection_created.disconnect(watch)
        options["CONN_MAX_AGE"] = kept
