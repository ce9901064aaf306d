"""Lock rows. Differences between PostgreSQL and SQLite in locking are here and nowhere else.

One lock order everywhere: idempotency key or form submission, then application, task, callback,
then outbox; rows of a bulk by primary key. SQLite has one write lock, which ``atomic()``
takes when it begins (``transaction_mode`` IMMEDIATE), in turn (``core.sqlite``), so row locks are
not needed and Django leaves them out.
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


class RowLock[M: models.Model]:
    """Lock the row of a model with a value of a unique field, as ``locked`` does.

    Each change and each step begins with this. Making the statement of a model with many columns
    takes longer than running it, so that is done once for each kind of database.
    """

    def __init__(self, model: type[M], field: str) -> None:
        self._model, self._field = model, field
        self._statements: dict[str, str] = {}

    def __call__(self, value: object) -> M:
        """Return the row, locked until the transaction ends. Raises ``DoesNotExist``."""
        if connection.features.has_select_for_update and connection.get_autocommit():
            raise transaction.TransactionManagementError("A row is locked in a transaction only.")
        rows = list(self._model._default_manager.raw(self._statement(), [value]))
        return rows[0] if rows else self._locked(value).get()

    def _statement(self) -> str:
        known = self._statements.get(connection.vendor)
        if known is None:
            known, values = self._locked(0).order_by().query.sql_with_params()
            if len(values) != 1:
                raise RuntimeError(f"{known} has other values than that of {self._field}")
            self._statements[connection.vendor] = known
        return known

    def _locked(self, value: object) -> "models.QuerySet[M]":
        return locked(self._model._default_manager.filter(**{self._field: value}))


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
