"""A row is locked by a statement that is made once, with the values that the ORM would give."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, models, transaction
from django.test.utils import CaptureQueriesContext

from applications.locking import application_lock
from applications.models import LoanApplication
from core.locking import locked
from reviews.locking import task_lock
from reviews.models import ReviewTask
from tests import casework

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def values(row: models.Model) -> dict[str, Any]:
    kept = {name: value for name, value in vars(row).items() if name != "_state"}
    return kept | {"is new": row._state.adding, "database": row._state.db}


def test_locked_row_is_the_one_that_the_orm_reads_by_the_same_statement(officer: User) -> None:
    case = casework.waiting_for_manager(officer)
    task = case.review_tasks.get()
    with CaptureQueriesContext(connection) as asked:
        application, again = application_lock(case.reference), application_lock(case.reference)
    with CaptureQueriesContext(connection) as by_orm:
        expected = locked(LoanApplication.objects.all()).get(reference=case.reference)
        asked_for = locked(ReviewTask.objects.all()).get(pk=task.pk)

    assert values(application) == values(again) == values(expected)
    assert {type(value) for value in values(application).values()} == {
        type(value) for value in values(expected).values()
    }
    assert values(task_lock(task.pk)) == values(asked_for)
    assert application is not again
    # ``get`` asks for one row too many, to refuse it.
    (first, second), (orm, _) = asked.captured_queries, by_orm.captured_queries
    plain = orm["sql"].replace(" LIMIT 21", "")
    assert first["sql"] == second["sql"] == plain


def test_row_that_is_not_there_is_missed_as_ever(db: None) -> None:
    with transaction.atomic(), pytest.raises(LoanApplication.DoesNotExist):
        application_lock("LOAN-0")
    with transaction.atomic(), pytest.raises(ReviewTask.DoesNotExist):
        task_lock(0)


@pytest.mark.django_db(transaction=True)
def test_row_cannot_be_locked_outside_of_a_transaction(transactional_db: None) -> None:
    if not connection.features.has_select_for_update:
        pytest.skip("SQLite has no row locks: its transactions begin with the write lock")
    with pytest.raises(transaction.TransactionManagementError):
        application_lock("LOAN-0")
