"""The list of applications with many rows: each page of it is found in an index."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from accounts.roles import Role
from applications.models import LoanApplication
from applications.search import applications_found
from devtools.seeding.seed import SeedRequest, seed
from partners.models import Partner
from reviews.models import ReviewTask
from tests.applications.admin.conftest import LIST, Login
from tests.casework import staff
from tests.plans import SORTS, plans
from tests.sizes import some

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

TABLE = LoanApplication._meta.db_table
POSTGRESQL = connection.vendor == "postgresql"


@pytest.fixture(scope="module")
def auditor(module_rows: None, django_db_blocker: DjangoDbBlocker) -> User:
    """Made before the rows: with each new person all open tasks are looked at."""
    with django_db_blocker.unblock():
        return staff("auditor", Role.AUDITOR)


@pytest.fixture(scope="module")
def many(auditor: User, django_db_blocker: DjangoDbBlocker) -> None:
    """Enough rows, with what the database knows of them, for it to choose as with a million."""
    with django_db_blocker.unblock():
        seed(SeedRequest(closed=2600, standing=400), now=timezone.now())
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def first_partner() -> int:
    return Partner.objects.order_by("name")[0].pk


def some_reference() -> str:
    return LoanApplication.objects.latest("pk").reference


@pytest.mark.long
@pytest.mark.parametrize(
    ("query", "index"),
    some(
        [
            ("", "application_newest"),
            ("status__exact=funded", "application_by_status"),
            ("status__exact=pending_approval", "application_by_status"),
            ("current_step__exact=complete", "application_by_step"),
            ("waiting_on__exact=manager", "application_by_waiting"),
            ("amount=1", "application_by_band"),
            ("amount=5", "application_by_band"),
            ("past=90", "application_newest"),
            ("partner__id__exact={partner}", "application_by_partner"),
            # PostgreSQL takes no order from rows that are alike in being NULL: it passes over
            # those of partners, who bring two thirds, on its way through the newest.
            (
                "partner__id__exact=none",
                "application_newest" if POSTGRESQL else "application_by_partner",
            ),
            ("status__exact=funded&past=90", "application_by_status"),
            ("status__exact=funded&closed=30", "application_by_status"),
            # Of the seeded rows all that are complete are funded: either index costs the same.
            (
                "status__exact=funded&current_step__exact=complete",
                "application_by_status_step|application_by_step",
            ),
            ("q=s", "application_by_name"),
            ("q=%C3%89lodie", "application_by_name"),
            ("q=s&status__exact=declined", "application_by_name"),
            ("q=s&current_step__exact=complete", "application_by_name"),
            ("q=s&waiting_on__exact=manager", "application_by_name"),
            ("q=s&amount=1", "application_by_name"),
            ("q=s&partner__id__exact={partner}", "application_by_name"),
            ("q=s&past=90", "application_by_name"),
            ("q={reference}", "reference"),
            ("o={created}", "application_newest"),
            ("o=-{created}", "application_newest"),
            ("o={amount}", "application_by_amount"),
            ("o=-{amount}", "application_by_amount"),
            ("o={status}", "application_by_status"),
            ("o=-{status}", "application_by_status"),
            ("o=-{amount}&status__exact=funded", "application_by_status_amount"),
            ("o={waiting}&waiting_on__exact=manager", "application_by_wait"),
            ("o=-{waiting}&waiting_on__exact=manager", "application_by_wait"),
            ("o={amount}&status__exact=funded", "application_by_status_amount"),
            ("o={created}&current_step__exact=complete", "application_by_step"),
            # What is not offered is not done, whoever asks for it.
            ("o=-{amount}&current_step__exact=complete", "application_by_step"),
            ("o={waiting}", "application_newest"),
            ("o={status}&partner__id__exact={partner}", "application_by_partner"),
            ("o=-{created}&q=s", "application_by_name"),
            ("o=1.2.3", "application_newest"),
        ],
        of=2,
    ),
)
def test_page_is_found_in_an_index_and_never_sorted(
    many: None, login: Login, auditor: User, query: str, index: str
) -> None:
    client = login(auditor)
    # Without actions there is no column of checkboxes: the reference is the first, 0.
    places = {"created": 7, "amount": 2, "status": 3, "waiting": 5}
    address = query.format(partner=first_partner(), reference=some_reference(), **places)

    asked = plans(TABLE, lambda: client.get(f"{LIST}?{address}"))

    pages = [how for sql, how in asked if "COUNT(" not in sql]
    assert len(pages) == 1
    assert any(name in pages[0] for name in index.split("|")), pages[0]
    assert not [word for word in SORTS if word in pages[0]], pages[0]
    assert not [sql for sql, _ in asked if "COUNT(" in sql and "LIMIT 10001" not in sql]


@pytest.mark.parametrize(
    ("term", "index"),
    [
        ("q8", "application_by_external|application_by_name|application_by_surname"),
        ("s", ""),  # too short: nothing is asked
        ("sm", "application_by_external|application_by_name|application_by_surname"),
        ("{reference}", "reference|application_by_external"),
        ("416-555-0123", "application_by_external|application_by_phone"),
        ("applicant7@example.com", "application_by_external|application_by_email"),
    ],
)
def test_search_in_the_header_reads_one_index_for_each_way_and_never_sorts(
    many: None, term: str, index: str
) -> None:
    term = term.format(reference=some_reference())

    asked = plans(TABLE, lambda: applications_found(term, most=8, with_contact=True))

    names = index.split("|") if index else []
    assert all(any(name in how for name in names) for _, how in asked), asked
    assert not [how for _, how in asked if any(word in how for word in SORTS)]
    assert len(asked) <= 4


def test_count_beside_a_search_reads_the_index_of_names_alone(
    many: None, login: Login, auditor: User
) -> None:
    client = login(auditor)

    asked = plans(TABLE, lambda: client.get(f"{LIST}?q=s&status__exact=declined&amount=1"))

    [count] = [how for sql, how in asked if "COUNT(" in sql]
    assert "application_by_name" in count
    if connection.vendor == "sqlite":
        assert "COVERING INDEX" in count


def test_list_of_one_page_asks_for_the_rows_that_were_counted(
    many: None, login: Login, auditor: User
) -> None:
    few = LoanApplication.objects.filter(status="expired").count()
    client = login(auditor)

    asked = plans(TABLE, lambda: client.get(f"{LIST}?status__exact=expired"))
    nothing = plans(TABLE, lambda: client.get(f"{LIST}?q=nobody"))

    assert 0 < few < 50
    assert [sql for sql, _ in asked if f"LIMIT {few}" in sql and "COUNT(" not in sql]
    assert len(nothing) == 1  # none are there, so none are fetched


def test_what_was_sent_back_is_found_in_its_index_for_the_list_and_the_front_page(
    many: None, login: Login, officer: User
) -> None:
    few = ReviewTask.objects.filter(status="open").order_by("pk")[:3]
    ReviewTask.objects.filter(pk__in=[task.pk for task in few]).update(sent_back_at=timezone.now())
    client = login(officer)

    def pages() -> None:
        assert client.get(f"{LIST}?sent_back=open").context["cl"].result_count == 3
        for address in (f"{LIST}?sent_back=mine", "/admin/"):
            assert client.get(address).status_code == 200

    asked = [how for sql, how in plans(TABLE, pages) if '"sent_back_at"' in sql]
    assert len(asked) == 5  # a count and a page of each list, and the figure
    assert [how for how in asked if "task_sent_back" not in how] == []
    assert not [how for how in asked if f"SCAN {TABLE}" in how]
