"""The list: what it shows, how it searches, what it costs."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.roles import Role
from applications.models import LoanApplication
from tests import casework
from tests.applications.admin.conftest import LIST, Login


def test_row_shows_amount_with_separators_badge_and_who_it_waits_on(
    login: Login, officer: User, auditor: User
) -> None:
    application = casework.waiting_for_manager(officer)

    html = login(auditor).get(LIST).content.decode()

    assert "<h1>Loan applications</h1>" in html
    assert application.reference in html
    assert "150,000.00" in html
    assert '<span class="badge tone-wait">Pending approval</span>' in html
    assert "Manager <span" in html


def test_list_costs_the_same_number_of_queries_however_many_rows(
    login: Login,
    officer: User,
    manager: User,
    django_assert_max_num_queries: pytest.FixtureRequest,
) -> None:
    client = login(manager)
    for number in range(12):
        casework.submit(officer, applicant_name=f"Person {number}")

    # Session, user, two of permissions, the partners of the filter, two counts, the bell, the rows.
    with django_assert_max_num_queries(10):
        response = client.get(LIST)

    assert len(response.context["cl"].result_list) == 12


@pytest.mark.parametrize(
    ("term", "found"),
    [("alice", True), ("ALICE J", True), ("Johnson", False), ("LOAN-00000000", False)],
)
def test_search_is_a_reference_or_the_start_of_a_name(
    login: Login, auditor: User, draft: LoanApplication, term: str, found: bool
) -> None:
    response = login(auditor).get(LIST, {"q": term})

    assert (draft in response.context["cl"].result_list) is found


def test_search_by_reference_is_exact_and_takes_small_letters(
    login: Login, auditor: User, officer: User, draft: LoanApplication
) -> None:
    casework.submit(officer)

    response = login(auditor).get(LIST, {"q": f" {draft.reference.lower()} "})

    assert list(response.context["cl"].result_list) == [draft]


def test_past_days_filter_leaves_older_rows_out(
    login: Login, auditor: User, officer: User, draft: LoanApplication
) -> None:
    old = casework.submit(officer)
    LoanApplication.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=10))

    client = login(auditor)

    assert list(client.get(LIST, {"past": "7"}).context["cl"].result_list) == [draft]
    assert len(client.get(LIST, {"past": "30"}).context["cl"].result_list) == 2
    assert len(client.get(LIST, {"past": "nonsense"}).context["cl"].result_list) == 2


@pytest.mark.parametrize("query", ["status__exact=funded", "current_step__exact=submitted"])
@pytest.mark.parametrize("more", ["", "&waiting_on__exact=manager"])
def test_every_filter_answers(login: Login, auditor: User, query: str, more: str) -> None:
    assert login(auditor).get(f"{LIST}?{query}{more}").status_code == 200


def test_nothing_can_be_deleted_by_anyone(
    login: Login, make_user: object, draft: LoanApplication
) -> None:
    admin = make_user("admin", *Role, is_superuser=True)
    client = login(admin)

    page = client.get(LIST)
    answer = client.post(f"{LIST}{draft.pk}/delete/", {"post": "yes"})

    assert "delete_selected" not in page.content.decode()
    assert answer.status_code == 403
    assert LoanApplication.objects.filter(pk=draft.pk).exists()


def test_view_only_user_is_offered_no_action(login: Login, officer: User, auditor: User) -> None:
    casework.waiting_for_manager(officer)

    html = login(auditor).get(LIST).content.decode()

    assert "approve_selected" not in html
    assert 'name="_selected_action"' not in html


def test_somebody_who_is_no_staff_is_sent_to_log_in(client: object, db: None) -> None:
    answer = client.get(LIST)

    assert answer.status_code == 302
    assert "/admin/login/" in answer.url
