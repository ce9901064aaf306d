"""Row locks. What differs between PostgreSQL and SQLite lives here and nowhere else.

One lock order everywhere: application, then task, then callback, then outbox; rows of
a bulk by primary key. SQLite has one write lock, which ``atomic()`` takes when it begins
(``transaction_mode`` IMMEDIATE), so row locks are not needed and Django leaves them out.
"""

from django.db import OperationalError, models

from applications.models import LoanApplication, ReviewTask


def locked[M: models.Model](rows: "models.QuerySet[M]") -> "models.QuerySet[M]":
    """``rows``, locked until the transaction ends.

    ``no_key``: an insert elsewhere that refers to the row by foreign key does not wait.
    """
    return rows.select_for_update(no_key=True, of=("self",)).order_by("pk")


def application_lock(reference: str) -> LoanApplication:
    """The application, locked. Raises ``LoanApplication.DoesNotExist``."""
    return locked(LoanApplication.objects.all()).get(reference=reference)


def task_lock(pk: int) -> ReviewTask:
    """The task, locked; its application must be locked already."""
    return locked(ReviewTask.objects.all()).get(pk=pk)


# https://www.postgresql.org/docs/current/errcodes-appendix.html: serialization_failure,
# deadlock_detected, lock_not_available.
CONTENTION_STATES = frozenset({"40001", "40P01", "55P03"})
CONTENTION_WORDS = ("is locked", "deadlock detected", "could not serialize")


def is_contention(error: OperationalError) -> bool:
    """True when the database rolled a transaction back because another was in its way.

    False for a lost connection: then nobody knows whether the transaction was committed,
    and it must not be repeated. PostgreSQL has a code for it, SQLite only words.
    """
    state = getattr(error.__cause__, "sqlstate", None)
    if state is not None:
        return state in CONTENTION_STATES
    return any(words in str(error) for words in CONTENTION_WORDS)
