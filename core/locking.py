"""Lock rows. Differences between PostgreSQL and SQLite in locking are here and nowhere else.

One lock order everywhere: idempotency key or form submission, then application, task, callback,
then outbox; rows of a bulk by primary key. SQLite has one write lock, which ``atomic()``
takes when it begins (``transaction_mode`` IMMEDIATE), so row locks are not needed and
Django leaves them out.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from django.db import OperationalError, connection, models, transaction


def locked[M: models.Model](rows: "models.QuerySet[M]") -> "models.QuerySet[M]":
    """Lock ``rows`` until the transaction ends.

    ``no_key``: an insert elsewhere that refers to the row by foreign key does not wait.
    """
    return rows.select_for_update(no_key=True, of=("self",)).order_by("pk")


def locked_if_free[M: models.Model](rows: "models.QuerySet[M]") -> "models.QuerySet[M]":
    """Lock as ``locked``, without the rows that another transaction holds."""
    skip = connection.features.has_select_for_update_skip_locked
    return rows.select_for_update(skip_locked=skip, of=("self",)).order_by("pk")


# https://www.postgresql.org/docs/current/errcodes-appendix.html: serialization_failure,
# deadlock_detected, lock_not_available.
LOCK_NOT_AVAILABLE = "55P03"
CONTENTION_STATES = frozenset({"40001", "40P01", LOCK_NOT_AVAILABLE})
LOCKED_WORDS = "is locked"
CONTENTION_WORDS = (LOCKED_WORDS, "deadlock detected", "could not serialize")


def is_contention(error: OperationalError) -> bool:
    """Return true when the database rolled a transaction back because of a conflict.

    False for a lost connection: then it is unknown if the transaction was committed,
    and it must not be repeated. PostgreSQL has a code for it, SQLite only words.
    """
    state = getattr(error.__cause__, "sqlstate", None)
    if state is not None:
        return state in CONTENTION_STATES
    return any(words in str(error) for words in CONTENTION_WORDS)


class StillLocked(Exception):
    """The holder of the lock did not release it in time."""


@contextmanager
def claimed[T](claim: Callable[[], T], *, longest_wait: timedelta) -> Iterator[T]:
    """Run an outermost transaction that begins with ``claim``, one at a time.

    Raises ``StillLocked`` when another still holds it after ``longest_wait``. PostgreSQL
    waits inside of the claim; SQLite, which has one write lock, before the transaction
    begins, and for as long as its connection waits for any other.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(transaction.atomic(durable=True))
            _lock_timeout(f"{longest_wait // timedelta(milliseconds=1)}ms")
            found = claim()
            _lock_timeout(None)
        except OperationalError as error:
            if _is_lock_timeout(error):
                raise StillLocked from error
            raise
        yield found


def _lock_timeout(longest: str | None) -> None:
    """Bound the lock waits of this transaction, or end the bound; a rollback ends it too."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            if longest is None:
                cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
            else:
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [longest])


def _is_lock_timeout(error: OperationalError) -> bool:
    state = getattr(error.__cause__, "sqlstate", None)
    return LOCKED_WORDS in str(error) if state is None else state == LOCK_NOT_AVAILABLE
