"""GET /applications/: whose, in which order, filtered, page by page."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from applications.models import LoanApplication
from applications.services import intake
from partners.models import Partner
from tests import casework
from tests.casework import ALICE
from tests.partners.api.calls import BASE, Caller, assert_problem


def submit(partner: Partner, **fields: Any) -> str:
    return casework.submit(None, partner=partner, **fields).reference


def references(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["reference"] for row in response.json()["results"]]


def follow(api: Caller, link: str) -> Any:
    return api.get(link.removeprefix("http://testserver"))


def walk(api: Caller, response: Any, direction: str = "next") -> list[list[str]]:
    """The references of every page from ``response`` on."""
    pages = [references(response)]
    while link := response.json()[direction]:
        response = follow(api, link)
        pages.append(references(response))
    return pages


def test_partner_sees_its_own_applications_newest_first(api: Caller, partner: Partner) -> None:
    made = [submit(partner) for _ in range(3)]

    response = api.get()

    assert references(response) == made[::-1]
    assert response.json()["next"] is None
    assert response.json()["previous"] is None


def test_list_shows_each_application_as_its_own_address_does(api: Caller, partner: Partner) -> None:
    for make in (casework.waiting_for_manager, casework.offered, casework.funded):
        make(None, partner=partner)

    rows = api.get().json()["results"]

    assert [row["status"] for row in rows] == ["funded", "approved", "pending_approval"]
    for row in rows:
        assert api.get(f"{BASE}{row['reference']}/").json() == row


def test_nothing_of_another_partner_or_of_staff_is_listed(
    api: Caller, other_api: Caller, partner: Partner, draft: LoanApplication, submitted: Any
) -> None:
    mine = submit(partner)

    assert references(api.get()) == [mine]
    assert references(other_api.get()) == []
    for reference in (mine, draft.reference):
        assert references(other_api.get(BASE, {"reference": reference})) == []


def test_staff_see_every_application(
    as_staff: Callable[[User], Caller],
    auditor: User,
    partner: Partner,
    other_partner: Partner,
    draft: LoanApplication,
) -> None:
    first, second = submit(partner), submit(other_partner)

    assert references(as_staff(auditor).get()) == [second, first, draft.reference]


def test_draft_that_carries_the_partner_is_its_own(
    api: Caller, partner: Partner, officer: User
) -> None:
    draft = intake.application_create(user=officer, partner=partner, **ALICE)

    row = api.get(BASE, {"status": "draft"}).json()["results"][0]

    assert row["reference"] == draft.reference
    assert row["current_step"] is None
    assert row["submitted_at"] is None


# --- Filters ------------------------------------------------------------------------------


def test_status_filter_leaves_the_others_out(api: Caller, partner: Partner) -> None:
    submit(partner)
    waiting = casework.waiting_for_manager(None, partner=partner).reference

    assert references(api.get(BASE, {"status": "pending_approval"})) == [waiting]
    assert references(api.get(BASE, {"status": "funded"})) == []


def test_reference_and_external_id_filters_are_exact(api: Caller, partner: Partner) -> None:
    one, two = submit(partner, external_id="crm-1"), submit(partner, external_id="crm-11")

    assert references(api.get(BASE, {"external_id": "crm-1"})) == [one]
    assert references(api.get(BASE, {"reference": two})) == [two]
    assert references(api.get(BASE, {"reference": two, "external_id": "crm-1"})) == []
    assert references(api.get(BASE, {"reference": "LOAN-0000"})) == []


def test_empty_external_id_finds_those_without_one(api: Caller, partner: Partner) -> None:
    submit(partner, external_id="crm-1")
    without = submit(partner, external_id="")

    assert references(api.get(BASE, {"external_id": ""})) == [without]


def test_submitted_filters_leave_out_the_moment_itself(api: Caller, partner: Partner) -> None:
    early, middle, late = (submit(partner) for _ in range(3))
    noon = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0)
    for days, reference in enumerate((early, middle, late)):
        LoanApplication.objects.filter(reference=reference).update(
            submitted_at=noon + timedelta(days=days)
        )
    at = (noon + timedelta(days=1)).isoformat()

    assert references(api.get(BASE, {"submitted_after": at})) == [late]
    assert references(api.get(BASE, {"submitted_before": at})) == [early]
    window = {
        "submitted_after": noon.isoformat(),
        "submitted_before": (noon + timedelta(days=2)).isoformat(),
    }
    assert references(api.get(BASE, window)) == [middle]


@pytest.mark.parametrize(
    "written", ["2026-01-15T12:00:00Z", "2026-01-15T07:00:00-05:00", "2026-01-15T12:00:00"]
)
def test_time_with_any_offset_or_none_is_understood_as_utc(
    api: Caller, partner: Partner, written: str
) -> None:
    reference = submit(partner)
    LoanApplication.objects.update(submitted_at="2026-01-15T12:00:01Z")

    assert references(api.get(BASE, {"submitted_after": written})) == [reference]
    assert references(api.get(BASE, {"submitted_before": written})) == []


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"status": "lost"}, "status"),
        ({"status": ""}, "status"),
        ({"status": "FUNDED"}, "status"),
        ({"submitted_after": "yesterday"}, "submitted_after"),
        ({"submitted_after": "2026-13-01"}, "submitted_after"),
        ({"submitted_after": ""}, "submitted_after"),
        ({"submitted_before": "2026-01-15T12:00:00 05:00"}, "submitted_before"),
        ({"submitted_before": "0001-01-01T00:00:00+14:00"}, "submitted_before"),
        ({"submitted_before": "9999-12-31T23:59:59-14:00"}, "submitted_before"),
        ({"reference": ""}, "reference"),
        ({"reference": "x" * 21}, "reference"),
        ({"reference": "a\0b"}, "reference"),
        ({"external_id": "x" * 101}, "external_id"),
        ({"external_id": "\0"}, "external_id"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"page_size": "0"}, "page_size"),
        ({"page_size": "201"}, "page_size"),
        ({"page_size": "-1"}, "page_size"),
        ({"page_size": "many"}, "page_size"),
        ({"page_size": "9" * 5000}, "page_size"),
        ({"state": "funded"}, "state"),
        ({"format": "xml"}, "format"),
        ({"status": ["funded", "declined"]}, "status"),
    ],
)
def test_bad_filter_is_named_and_refused(api: Caller, query: dict[str, Any], name: str) -> None:
    problem = assert_problem(api.get(BASE, query), 400, "invalid-request")

    assert list(problem["errors"]) == [name]
    assert problem["errors"][name][0]


# --- Pages --------------------------------------------------------------------------------


def test_pages_hold_every_application_once_forwards_and_back(api: Caller, partner: Partner) -> None:
    made = [submit(partner) for _ in range(7)][::-1]

    first = api.get(BASE, {"page_size": 3})
    pages = walk(api, first)

    assert pages == [made[:3], made[3:6], made[6:]]
    assert first.json()["previous"] is None
    last = follow(api, follow(api, first.json()["next"]).json()["next"])
    assert last.json()["next"] is None
    assert walk(api, last, "previous") == [made[6:], made[3:6], made[:3]]


def test_page_that_is_exactly_full_has_no_next(api: Caller, partner: Partner) -> None:
    for _ in range(4):
        submit(partner)

    first = api.get(BASE, {"page_size": 2})

    assert [len(page) for page in walk(api, first)] == [2, 2]


def test_new_applications_move_no_page(api: Caller, partner: Partner) -> None:
    made = [submit(partner) for _ in range(6)][::-1]
    seen, response = [], api.get(BASE, {"page_size": 2})
    while True:
        seen += references(response)
        new = submit(partner)  # arrives while the pages are being read
        link = response.json()["next"]
        if link is None:
            break
        response = follow(api, link)

    assert seen == made
    assert new not in seen


def test_new_applications_are_found_by_going_back(api: Caller, partner: Partner) -> None:
    made = [submit(partner) for _ in range(4)][::-1]
    second = follow(api, api.get(BASE, {"page_size": 2}).json()["next"])
    new = submit(partner)

    pages = walk(api, second, "previous")

    assert pages == [made[2:], made[:2], [new]]


def test_applications_of_the_same_moment_are_all_found(api: Caller, partner: Partner) -> None:
    made = [submit(partner) for _ in range(5)][::-1]
    LoanApplication.objects.update(created_at=timezone.now())

    assert walk(api, api.get(BASE, {"page_size": 2})) == [made[:2], made[2:4], made[4:]]


def test_page_whose_rows_are_gone_is_empty(api: Caller, partner: Partner) -> None:
    for _ in range(3):
        submit(partner)
    link = api.get(BASE, {"page_size": 2, "status": "submitted"}).json()["next"]
    LoanApplication.objects.update(status="in_review")

    response = follow(api, link)

    assert response.json() == {"results": [], "next": None, "previous": None}


def test_links_keep_the_filters(api: Caller, partner: Partner) -> None:
    submit(partner)
    LoanApplication.objects.update(submitted_at=datetime(2025, 1, 1, tzinfo=UTC))
    made = [submit(partner, external_id=f"crm-{number}") for number in range(3)][::-1]

    first = api.get(BASE, {"page_size": 1, "submitted_after": "2025-01-01T05:00:00+01:00"})

    assert walk(api, first) == [[reference] for reference in made]


def test_cursor_of_another_partner_shows_nothing_of_it(
    api: Caller, other_api: Caller, partner: Partner
) -> None:
    for _ in range(3):
        submit(partner)
    link = api.get(BASE, {"page_size": 1}).json()["next"]

    assert references(follow(other_api, link)) == []


@pytest.mark.parametrize(
    "cursor",
    [
        "e30",  # {}
        "W10",  # []
        "NQ",  # 5
        "bnVsbA",  # null
        "WyJuZXh0Il0",  # ["next"]
        "WyJuZXh0IiwxLDJd",  # ["next",1,2]
        "WyJzaWRld2F5cyIsIjIwMjYtMDEtMDFUMDA6MDA6MDArMDA6MDAiLDFd",  # ["sideways",time,1]
        "WyJuZXh0IiwiMjAyNi0wMS0wMVQwMDowMDowMCIsMV0",  # a time without an offset
        "WyJuZXh0IiwiMDAwMS0wMS0wMVQwMDowMDowMCsxNDowMCIsMV0",  # before time began
        "WyJuZXh0IiwiMjAyNi0wMS0wMVQwMDowMDowMCswMDowMCIsdHJ1ZV0",  # ["next",time,true]
        "WyJuZXh0IiwiMjAyNi0wMS0wMVQwMDowMDowMCswMDowMCIsLTFd",  # ["next",time,-1]
        "WyJuZXh0IiwiMjAyNi0wMS0wMVQwMDowMDowMCswMDowMCIsOTIyMzM3MjAzNjg1NDc3NTgwOF0",  # 2 ** 63
        "W1sibmV4dCJdLCIyMDI2LTAxLTAxVDAwOjAwOjAwKzAwOjAwIiwxXQ",  # [["next"],time,1]
        "W1tbW1tb",
        "====",
        "a",
        "ü",
        "/etc/passwd",
        "W" * 500,
        "W" * 501,
    ],
)
def test_cursor_that_is_not_ours_is_refused(api: Caller, cursor: str) -> None:
    problem = assert_problem(api.get(BASE, {"cursor": cursor}), 400, "invalid-request")

    assert list(problem["errors"]) == ["cursor"]


# --- Cost ---------------------------------------------------------------------------------


def test_queries_of_a_partners_list_do_not_grow_with_it(api: Caller, partner: Partner) -> None:
    casework.funded(None, partner=partner)
    api.get()  # notes that the key was used
    with CaptureQueriesContext(
        connection,
    ) as few:
        api.get()
    for make in (casework.funded, casework.offered, casework.waiting_for_manager) * 3:
        make(None, partner=partner)

    with CaptureQueriesContext(connection) as many:
        assert len(references(api.get())) == 10

    assert len(few) == len(many) == 4  # the key, the page, its offers, its assessments


def test_queries_of_a_staff_list_do_not_grow_with_it(
    as_staff: Callable[[User], Caller], auditor: User, partner: Partner
) -> None:
    staff = as_staff(auditor)
    casework.funded(None, partner=partner)
    with CaptureQueriesContext(connection) as few:
        staff.get()
    for _ in range(4):
        casework.funded(None, partner=partner)

    with CaptureQueriesContext(connection) as many:
        staff.get()

    assert len(few) == len(many) == 7  # session, user, permissions, the three, one noted
