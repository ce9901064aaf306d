"""GET /applications/{reference}/events/: the timeline, and what a partner is not shown."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role
from applications.services import intake
from applications.services.timeline import event_record
from lending.choices import Outcome
from partners.models import Partner
from reviews.services import decisions
from tests import casework
from tests.partners.api.calls import Caller, assert_problem, path


def messages(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [line["message"] for line in response.json()["results"]]


def follow(api: Caller, link: str) -> Any:
    return api.get(link.removeprefix("http://testserver"))


def test_timeline_is_told_oldest_first(api: Caller, partner: Partner) -> None:
    application = casework.waiting_for_manager(None, partner=partner)

    response = api.get(path(application.reference, "events/"))

    lines = response.json()["results"]
    assert [set(line) for line in lines] == [{"at", "step", "level", "message"}] * len(lines)
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert [line["step"] for line in lines[:3]] == [None, "submitted", "validating"]
    assert messages(response)[:2] == ["The application was created.", "Submitted: 150,000.00 CAD."]
    assert messages(response)[-1] == "Waiting for a manager to decide."


def test_partner_is_shown_no_internal_line_and_no_name_of_staff(
    api: Caller, partner: Partner, make_user: Callable[..., User]
) -> None:
    boss = make_user("bosswick", *Role, is_superuser=True)
    application = casework.waiting_for_manager(None, partner=partner)
    intake.application_edit(reference=application.reference, user=boss, phone="416-555-0000")
    event_record(application=application, kind="note", message="Secret.", is_internal=True)
    other = make_user("mattermost", *Role, is_superuser=True)
    decisions.task_decide(task=application.review_tasks.get(), user=other, outcome=Outcome.APPROVE)

    response = api.get(path(application.reference, "events/"))

    assert "Manager approval: approved." in messages(response)
    assert "Secret." not in messages(response)
    assert not [message for message in messages(response) if message.startswith("Changed")]
    assert b"bosswick" not in response.content
    assert b"mattermost" not in response.content
    assert application.sin_last4.encode() not in response.content


def test_staff_are_shown_the_internal_lines_too(
    as_staff: Callable[[User], Caller], auditor: User, partner: Partner
) -> None:
    application = casework.submit(None, partner=partner)
    event_record(application=application, kind="note", message="Secret.", is_internal=True)

    response = as_staff(auditor).get(path(application.reference, "events/"))

    assert messages(response)[-1] == "Secret."


def test_only_lines_of_that_application_are_told(api: Caller, partner: Partner) -> None:
    one, _ = (casework.submit(None, partner=partner) for _ in range(2))

    assert len(messages(api.get(path(one.reference, "events/")))) == 2


def test_pages_hold_every_line_once_while_new_ones_arrive(api: Caller, partner: Partner) -> None:
    application = casework.submit(None, partner=partner)
    for number in range(4):
        event_record(application=application, kind="note", message=f"Line {number}.")
    response = api.get(path(application.reference, "events/"), {"page_size": 2})
    seen = messages(response)
    event_record(application=application, kind="note", message="New.")
    while link := response.json()["next"]:
        response = follow(api, link)
        seen += messages(response)

    assert seen[2:] == ["Line 0.", "Line 1.", "Line 2.", "Line 3.", "New."]
    back = follow(api, response.json()["previous"])
    assert messages(back) == ["Line 2.", "Line 3."]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "WyJuZXh0IiwiYSJd"}, "cursor"),  # ["next","a"]
        ({"page_size": "0"}, "page_size"),
        ({"status": "funded"}, "status"),
    ],
)
def test_bad_query_is_named_and_refused(
    api: Caller, partner: Partner, query: dict[str, str], name: str
) -> None:
    application = casework.submit(None, partner=partner)

    problem = assert_problem(
        api.get(path(application.reference, "events/"), query), 400, "invalid-request"
    )
    assert list(problem["errors"]) == [name]


def test_cursor_of_the_list_is_not_one_of_the_timeline(api: Caller, partner: Partner) -> None:
    for _ in range(2):
        application = casework.submit(None, partner=partner)
    link = api.get(query={"page_size": 1}).json()["next"]
    cursor = link.partition("cursor=")[2].partition("&")[0]

    response = api.get(path(application.reference, "events/"), {"cursor": cursor})

    assert_problem(response, 400, "invalid-request")


def test_queries_do_not_grow_with_the_timeline(api: Caller, partner: Partner) -> None:
    application = casework.submit(None, partner=partner)
    address = path(application.reference, "events/")
    api.get(address)  # notes that the key was used
    with CaptureQueriesContext(connection) as few:
        api.get(address)
    for number in range(20):
        event_record(application=application, kind="note", message=f"Line {number}.")

    with CaptureQueriesContext(connection) as many:
        api.get(address)

    assert len(few) == len(many) == 3  # the key, the application, the lines
