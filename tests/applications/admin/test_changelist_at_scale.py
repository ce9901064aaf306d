"""The list with many rows: what is asked of the database, not how long it takes."""

import pytest
from django.contrib.auth.models import User
from django.core.paginator import EmptyPage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from applications.models import LoanApplication
from core.admin.paging import BoundedPaginator
from devtools.seeding.seed import SeedRequest, seed
from partners.models import Partner
from tests import casework
from tests.applications.admin.conftest import LIST, Login

COMMON = {"applicant_name": "Sam Stone"}


def first_partner() -> int:
    return Partner.objects.order_by("name")[0].pk


# --- What it costs does not grow --------------------------------------------------------------


def asked(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


@pytest.mark.parametrize(
    "query",
    ["", "status__exact=funded", "q=s", "amount=2&past=90", "partner__id__exact={partner}", "p=3"],
)
def test_same_queries_for_few_rows_and_many_and_for_many_partners(
    login: Login, manager: User, query: str
) -> None:
    seed(SeedRequest(closed=170, standing=30), now=timezone.now())
    client = login(manager)
    address = f"{LIST}?{query}".format(partner=first_partner())
    client.get(address)
    before = asked(client, address)

    seed(SeedRequest(closed=600), now=timezone.now())
    Partner.objects.bulk_create(Partner(name=f"Partner {number:03}") for number in range(300))

    assert asked(client, address) == before <= 11  # one for the bell, one for questions


# --- Pages end ------------------------------------------------------------------------------


@pytest.fixture
def few_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedPaginator, "most", 120)


def test_more_than_the_pages_hold_is_said_and_not_counted(
    few_pages: None, login: Login, auditor: User
) -> None:
    seed(SeedRequest(closed=200), now=timezone.now())

    answer = login(auditor).get(LIST)

    html = answer.content.decode()
    assert "More than 120 loan applications; the first 120 are listed." in html
    assert "Narrow the search" in html
    shown = answer.context["cl"]
    assert shown.result_count == 120
    assert shown.paginator.num_pages == 3
    assert "200 loan applications" not in html


def test_search_that_finds_too_much_says_so_beside_the_search_too(
    few_pages: None, login: Login, auditor: User
) -> None:
    seed(SeedRequest(closed=200), now=timezone.now())
    LoanApplication.objects.update(applicant_search="sam stone")
    client = login(auditor)

    html = client.get(f"{LIST}?q=sam").content.decode()
    few = client.get(f"{LIST}?q=sam&status__exact=draft").content.decode()

    assert "More than 120 results" in html
    assert "120 results (" not in html.replace("More than 120 results (", "")
    drafts = LoanApplication.objects.filter(status="draft").count()
    assert f"{drafts} result" in few
    assert "More than" not in few


def test_exact_number_is_said_when_the_pages_hold_it(
    few_pages: None, login: Login, auditor: User
) -> None:
    seed(SeedRequest(closed=120), now=timezone.now())

    html = login(auditor).get(LIST).content.decode()

    assert "120 loan applications" in html
    assert "More than" not in html


def test_page_after_the_last_is_the_first_and_says_so(
    few_pages: None, login: Login, auditor: User
) -> None:
    seed(SeedRequest(closed=200), now=timezone.now())
    client = login(auditor)

    assert len(client.get(f"{LIST}?p=3").context["cl"].result_list) == 20
    answer = client.get(f"{LIST}?p=4")

    assert answer.status_code == 200
    assert len(answer.context["cl"].result_list) == 50
    assert "as the list does not offer it: p." in answer.text


def test_paginator_counts_no_further_than_one_row_more(db: None) -> None:
    seed(SeedRequest(closed=30), now=timezone.now())

    class Short(BoundedPaginator):
        most = 10

    paginator = Short(LoanApplication.objects.order_by("-pk"), 5)
    with CaptureQueriesContext(connection) as captured:
        assert (paginator.count, paginator.is_cut, paginator.num_pages) == (10, True, 2)
    assert "LIMIT 11" in captured.captured_queries[0]["sql"]
    assert len(captured) == 1
    with pytest.raises(EmptyPage):
        paginator.page(3)


# --- Searching --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "term", "found"),
    [
        ("Émile Côté", "émile", True),
        ("Émile Côté", "ÉMILE CÔTÉ", True),
        ("Émile Côté", "emile co", True),
        ("Émile Côté", "Côté", False),
        ("Ольга Иванова", "ольга ИВ", True),
        ("Νίκος Παππάς", "ΝΊΚΟΣ", True),
        ("İpek Çelik", "ipek Ç", True),
        ("Strauß Peter", "STRAUSS", True),
        ("محمد حسن", "محمد", True),
        ("王 宇航", "王", True),
        ("100% Sure", "100%", True),
        ("1000 Sure", "100%", False),
        ("Under_score", "under_", True),
        ("Underscore", "under_", False),
        ("O'Brien", "o'b", True),
        ("Back\\slash", "back\\", True),
        ("Alice", "\u0301", False),
        ("LOAN-99 Ltd", "loan-9", True),
    ],
)
def test_start_of_a_name_is_found_whatever_its_script_case_and_accents(
    login: Login, auditor: User, officer: User, name: str, term: str, found: bool
) -> None:
    application = casework.submit(officer, applicant_name=name)

    answer = login(auditor).get(LIST, {"q": term})

    assert (application in answer.context["cl"].result_list) is found


def test_found_names_are_in_their_order_and_the_newest_first_of_equal_ones(
    login: Login, auditor: User, officer: User
) -> None:
    names = ["Émile B", "Emile A", "emile b", "Emilia"]
    first, second, third, fourth = [casework.submit(officer, applicant_name=n) for n in names]

    answer = login(auditor).get(LIST, {"q": "emil", "o": "-7"})

    assert list(answer.context["cl"].result_list) == [second, third, first, fourth]


def test_columns_are_sortable_where_an_index_has_the_order(login: Login, auditor: User) -> None:
    client = login(auditor)

    def sortable(query: str) -> set[str]:
        return set(client.get(f"{LIST}?{query}").context["cl"].sortable_by)

    by_any = {"amount", "created", "status_shown"}
    assert sortable("") == sortable("status__exact=funded") == by_any
    assert sortable("waiting_on__exact=manager") == {"created", "waiting"}
    assert sortable("amount=3") == sortable("past=7&status__exact=funded") == {"created"}
    assert sortable("q=sam") == set()


def test_sorting_by_amount_goes_both_ways(login: Login, auditor: User, officer: User) -> None:
    cases = [casework.submit(officer, loan_amount=amount) for amount in (3000, 1000, 2000, 2000)]
    client = login(auditor)

    largest = list(client.get(f"{LIST}?o=-2").context["cl"].result_list)
    smallest = list(client.get(f"{LIST}?o=2").context["cl"].result_list)

    assert largest == [cases[0], cases[3], cases[2], cases[1]]
    assert smallest == largest[::-1]


# --- The filters ------------------------------------------------------------------------------


def test_amount_filter_takes_its_band_and_ignores_what_is_none(
    login: Login, auditor: User, officer: User
) -> None:
    small = casework.submit(officer, loan_amount=24_999)
    large = casework.submit(officer, loan_amount=500_000)
    client = login(auditor)

    def found(value: str) -> list[LoanApplication]:
        return list(client.get(f"{LIST}?amount={value}").context["cl"].result_list)

    assert (found("1"), found("5"), found("3")) == ([small], [large], [])
    assert set(found("9")) == set(found("x")) == {small, large}


def test_filters_hold_beside_a_search_for_a_name(
    login: Login, auditor: User, officer: User, partner: Partner
) -> None:
    mine = casework.submit(officer, **COMMON)
    theirs = casework.submit(None, partner=partner, **COMMON)
    waiting = casework.waiting_for_manager(officer, **COMMON)
    LoanApplication.objects.filter(pk=mine.pk).update(amount_band=1)
    client = login(auditor)

    def found(query: str) -> set[LoanApplication]:
        return set(client.get(f"{LIST}?q=sam&{query}").context["cl"].result_list)

    assert found("") == {mine, theirs, waiting}
    assert found("status__exact=submitted") == {mine, theirs}
    assert found(f"partner__id__exact={partner.pk}") == {theirs}
    assert found("partner__id__exact=none") == {mine, waiting}
    assert found("waiting_on__exact=manager") == found("current_step__exact=manager_approval")
    assert found("waiting_on__exact=manager") == {waiting}
    assert found("amount=1") == {mine}
    assert found("past=1") == {mine, theirs, waiting}


@pytest.mark.parametrize("value", ["0", "-1", "abc", "9" * 30, "٣", ""])
def test_partner_that_is_none_finds_nothing_and_breaks_nothing(
    login: Login, auditor: User, draft: LoanApplication, value: str
) -> None:
    answer = login(auditor).get(LIST, {"partner__id__exact": value})

    assert answer.status_code == 200
    assert list(answer.context["cl"].result_list) == []


def test_few_partners_are_choices_and_of_many_the_first_and_the_chosen(
    login: Login, auditor: User
) -> None:
    Partner.objects.bulk_create(Partner(name=f"Partner {number:04}") for number in range(1000))
    last = Partner.objects.get(name="Partner 0999")
    client = login(auditor)

    html = client.get(LIST).content.decode()
    chosen = client.get(LIST, {"partner__id__exact": last.pk}).content.decode()

    assert "Partner 0019" in html
    assert "Partner 0020" not in html
    assert 'href="/admin/partners/partner/"' in html
    assert "Another partner…" in html
    assert "<strong>Partner 0999</strong>" in chosen
    assert chosen.count("Partner 0") == html.count("Partner 0") + 2


def test_page_of_partners_leads_to_the_applications_of_each(
    login: Login, auditor: User, partner: Partner
) -> None:
    html = login(auditor).get("/admin/partners/partner/").content.decode()

    assert f"{LIST}?partner__id__exact={partner.pk}" in html
