"""Derived columns of rows, lookups without an index, and indexes built beside writers."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.migrations.state import ProjectState
from django.test.utils import CaptureQueriesContext

from applications.choices import AmountBand
from applications.models import ApplicationEvent, LoanApplication
from applications.services import intake
from core.database import NotLookedUp, insert_many_once, insert_once
from core.migration_operations import AddIndexOnline
from tests import casework

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def kept(application: LoanApplication) -> tuple[str, int | None]:
    application.refresh_from_db()
    return application.applicant_search, application.amount_band


# --- Columns that rows fill in ------------------------------------------------------------


def test_new_application_fills_in_what_it_is_searched_by(officer: User) -> None:
    application = casework.submit(officer, applicant_name="Émile Côté", loan_amount=Decimal(25000))

    assert kept(application) == ("emile cote", AmountBand.FROM_25)


def test_edited_name_and_amount_are_found_as_they_are_now(
    draft: LoanApplication, officer: User
) -> None:
    intake.application_edit(
        reference=draft.reference,
        user=officer,
        applicant_name="Zoë Núñez",
        loan_amount=Decimal("500000.00"),
    )

    assert kept(draft) == ("zoe nunez", AmountBand.FROM_500)


def test_edit_of_something_else_leaves_them_alone(draft: LoanApplication, officer: User) -> None:
    before = kept(draft)

    intake.application_edit(reference=draft.reference, user=officer, phone="613-555-0199")

    assert kept(draft) == before == ("alice johnson", AmountBand.FROM_100)


def test_rows_that_are_written_in_bulk_fill_them_in_too(officer: User) -> None:
    for application in casework.many_waiting_for_manager(officer, 3):
        assert kept(application) == ("alice johnson", AmountBand.FROM_100)


@pytest.mark.parametrize(
    ("amount", "band"),
    [
        ("0.01", AmountBand.UNDER_25),
        ("24999.99", AmountBand.UNDER_25),
        ("25000.00", AmountBand.FROM_25),
        ("99999.99", AmountBand.FROM_25),
        ("100000.00", AmountBand.FROM_100),
        ("249999.99", AmountBand.FROM_100),
        ("250000.00", AmountBand.FROM_250),
        ("499999.99", AmountBand.FROM_250),
        ("500000.00", AmountBand.FROM_500),
        ("9999999999.99", AmountBand.FROM_500),
    ],
)
def test_boundary_belongs_to_the_band_that_begins_with_it(amount: str, band: AmountBand) -> None:
    assert AmountBand.of(Decimal(amount)) is band


def test_column_that_is_not_looked_up_still_tells_rows_apart(officer: User) -> None:
    one, other = casework.submit(officer), casework.submit(officer)
    LoanApplication.objects.filter(pk=other.pk).update(status="declined")
    rows = LoanApplication.objects.alias(told=NotLookedUp("status"))

    assert list(rows.filter(told="declined")) == [other]
    assert list(rows.filter(told="submitted")) == [one]


# --- Indexes beside writers ---------------------------------------------------------------


@pytest.fixture
def no_index(transactional_db: None) -> Iterator[AddIndexOnline]:
    """The operation that adds an index which is not there; afterwards it is."""
    index = next(i for i in LoanApplication._meta.indexes if i.name == "application_by_step")
    operation = AddIndexOnline("loanapplication", index)
    drop(index.name)
    yield operation
    if not there(index.name):
        with connection.schema_editor(atomic=False) as editor:
            editor.add_index(LoanApplication, index)


def drop(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {name}")


def there(name: str) -> bool:
    with connection.cursor() as cursor:
        return name in connection.introspection.get_constraints(
            cursor, LoanApplication._meta.db_table
        )


def apply(operation: AddIndexOnline, *, back: bool = False) -> list[str]:
    """Do it, or undo it; returns the statements."""
    before = ProjectState.from_apps(LoanApplication._meta.apps)
    with (
        CaptureQueriesContext(connection) as captured,
        connection.schema_editor(atomic=False) as editor,
    ):
        do = operation.database_backwards if back else operation.database_forwards
        do("applications", editor, before, before)
    return [query["sql"] for query in captured.captured_queries]


@pytest.mark.django_db(transaction=True)
def test_index_is_built_beside_writers_where_the_database_can(no_index: AddIndexOnline) -> None:
    built = apply(no_index)

    assert there(no_index.index.name)
    concurrently = [sql for sql in built if "CONCURRENTLY" in sql]
    assert len(concurrently) == (1 if connection.vendor == "postgresql" else 0)
    undone = apply(no_index, back=True)
    assert not there(no_index.index.name)
    assert any("CONCURRENTLY" in sql for sql in undone) is (connection.vendor == "postgresql")


@pytest.mark.postgres_only
@pytest.mark.django_db(transaction=True)
def test_index_that_an_interrupted_build_left_behind_is_built_again(
    no_index: AddIndexOnline,
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL leaves invalid indexes behind")
    apply(no_index)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass",
            [no_index.index.name],
        )

    apply(no_index)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = %s::regclass",
            [no_index.index.name],
        )
        assert cursor.fetchone() == (True,)


# --- Rows that are written once ------------------------------------------------------------


def test_row_is_inserted_once_in_one_statement_and_learns_its_key(draft: LoanApplication) -> None:
    def entry() -> ApplicationEvent:
        return ApplicationEvent(application=draft, kind="note", message="Once.", key="note/1")

    first, second = entry(), entry()
    with CaptureQueriesContext(connection) as ran:
        assert insert_once(first, unique="key") is True
        assert insert_once(second, unique="key") is False
    assert len(ran) == 2
    assert ApplicationEvent.objects.get(key="note/1").pk == first.pk
    assert second.pk is None


def test_of_many_rows_those_are_inserted_whose_key_is_new(draft: LoanApplication) -> None:
    def entry(number: int) -> ApplicationEvent:
        return ApplicationEvent(
            application=draft, kind="note", message=f"{number}.", key=f"note/{number}"
        )

    assert insert_once(entry(1), unique="key")
    rows = [entry(number) for number in (0, 1, 2, 2)]

    with CaptureQueriesContext(connection) as ran:
        inserted = insert_many_once(rows, unique="key")

    assert len(ran) == 1
    assert inserted == [rows[0], rows[2]]
    assert [row.pk is None for row in rows] == [False, True, False, True]
    stored = ApplicationEvent.objects.filter(kind="note").order_by("message")
    assert list(stored.values_list("pk", "key"))[::2] == [(row.pk, row.key) for row in inserted]
    assert insert_many_once([], unique="key") == []


@pytest.mark.parametrize("missing", ["message", "application_id"])
def test_row_that_lacks_a_value_is_refused_and_not_taken_for_one_that_exists(
    draft: LoanApplication, missing: str
) -> None:
    entry = ApplicationEvent(application=draft, kind="note", message="Once.", key="note/1")
    setattr(entry, missing, None)

    with pytest.raises(IntegrityError), transaction.atomic():
        insert_once(entry, unique="key")
