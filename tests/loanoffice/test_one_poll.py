"""The one poll of a page: the badge comes with what the page asks for itself; lists say that."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from applications.models import LoanApplication
from applications.services import intake
from lending.choices import Outcome
from reviews.services import decisions
from tests import casework
from tests.applications.admin.conftest import LIST, Login, login, page

__all__ = ["login"]
pytestmark = pytest.mark.django_db
MINE = "/admin/reviews/reviewtask/?mine=yes"


@pytest.fixture
def waiting(officer: User) -> LoanApplication:
    return casework.waiting_for_manager(officer)


def shown_in(client: Client, address: str) -> str:
    """Return the tag of the rows that a list shows."""
    tag: str = client.get(address).context["list_shown"]
    return tag


def changed(client: Client, address: str, shown: str) -> bool:
    answer = client.get(address, headers={"List-Shown": shown})
    assert (answer.status_code, answer.content) == (204, b"")
    return "List-Changed" in answer.headers


def test_badge_comes_with_the_poll_of_an_application_when_it_differs(
    login: Login, manager: User, waiting: LoanApplication
) -> None:
    client = login(manager)
    etag = client.get(page("live", waiting)).headers["ETag"]

    same, other = (
        client.get(page("live", waiting), headers={"If-None-Match": etag, "Badge-Shown": shown})
        for shown in ("1", "7")
    )

    assert (same.status_code, other.status_code) == (304, 304)
    assert "Badge" not in same.headers
    assert json.loads(other.headers["Badge"]) == {
        "waiting": 1,
        "shown": "1",
        "sentence": "1 task waits on you",
    }


def test_first_poll_of_a_page_renders_nothing_that_the_page_has(
    login: Login, manager: User, officer: User, waiting: LoanApplication
) -> None:
    client = login(manager)
    opened = client.get(page("change", waiting)).context["live_etag"]
    known = {"If-None-Match": opened}

    assert client.get(page("live", waiting), headers=known).status_code == 304
    intake.application_edit(reference=waiting.reference, user=officer, phone="613-555-0142")
    assert client.get(page("live", waiting), headers=known).status_code == 200
    intake.application_withdraw(reference=waiting.reference, user=officer)
    assert client.get(page("change", waiting)).context["live_etag"] == ""


def test_poll_that_asks_for_no_badge_counts_nothing(
    login: Login, manager: User, waiting: LoanApplication, django_assert_max_num_queries: Any
) -> None:
    client = login(manager)
    etag = client.get(page("live", waiting)).headers["ETag"]

    with django_assert_max_num_queries(9) as asked:
        client.get(page("live", waiting), headers={"If-None-Match": etag})
    with django_assert_max_num_queries(len(asked) + 3):
        client.get(page("live", waiting), headers={"If-None-Match": etag, "Badge-Shown": "7"})


def test_bell_comes_with_the_poll_when_it_differs(
    login: Login, auditor: User, waiting: LoanApplication
) -> None:
    client = login(auditor)

    answers = [
        client.get(address, headers={"Bell-Shown": shown})
        for address in (page("live", waiting), "/admin/open-tasks/")
        for shown in ("0", "7")
    ]

    nothing = {"unread": 0, "shown": "0", "sentence": "Notifications: nothing new"}
    told = [json.loads(answer.headers.get("Bell", "null")) for answer in answers]
    assert told == [None, nothing, None, nothing]


def test_badge_is_for_who_decides_and_never_on_a_refusal(
    login: Login, auditor: User, manager: User, waiting: LoanApplication, client: Client
) -> None:
    asks = {"Badge-Shown": "7"}

    assert "Badge" not in login(auditor).get(page("live", waiting), headers=asks).headers
    refused = client.get(page("live", waiting), headers=asks)
    assert (refused.status_code, "Badge" in refused.headers) == (302, False)
    unknown = login(manager).get(f"{LIST}99999/live/", headers=asks)
    assert (unknown.status_code, "Badge" in unknown.headers) == (404, False)


@pytest.mark.parametrize("address", [LIST, MINE, "/admin/reviews/reviewtask/"])
def test_list_says_that_its_rows_changed_and_sends_none(
    login: Login, manager: User, officer: User, waiting: LoanApplication, address: str
) -> None:
    client = login(manager)
    shown = shown_in(client, address)
    assert not changed(client, address, shown)

    casework.waiting_for_manager(officer)
    assert changed(client, address, shown)

    shown = shown_in(client, address)
    assert not changed(client, address, shown)
    decisions.task_decide(task=waiting.review_tasks.get(), user=manager, outcome=Outcome.APPROVE)
    assert changed(client, address, shown)


def test_change_of_another_list_is_none_of_this_one(
    login: Login, manager: User, officer: User, waiting: LoanApplication
) -> None:
    client = login(manager)
    address = f"{LIST}?status__exact=pending_approval"
    shown = shown_in(client, address)

    intake.application_create(user=officer, **casework.ALICE)

    assert not changed(client, address, shown)


def test_list_that_was_searched_is_not_asked_again_and_strangers_are_refused(
    login: Login, manager: User, waiting: LoanApplication, client: Client, make_user: Any
) -> None:
    html = login(manager).get(f"{LIST}?q={waiting.reference}").text

    assert "data-list-shown" not in html
    assert client.get(LIST, headers={"List-Shown": "x"}).status_code == 302
    nobody = login(make_user("nobody"))
    assert nobody.get(LIST, headers={"List-Shown": "x"}).status_code == 403


def test_question_about_a_list_costs_no_more_than_the_list(
    login: Login, manager: User, waiting: LoanApplication, django_assert_max_num_queries: Any
) -> None:
    client = login(manager)
    with django_assert_max_num_queries(50) as whole:
        shown = shown_in(client, MINE)
    with django_assert_max_num_queries(len(whole)):
        assert not changed(client, MINE, shown)


def test_every_page_has_one_script_that_polls(
    login: Login, manager: User, waiting: LoanApplication
) -> None:
    client = login(manager)

    for address in ("/admin/", LIST, MINE, page("change", waiting)):
        html = client.get(address).text
        assert html.count("core/polling.js") == 1
        assert "badge.js" not in html
