"""POST /applications/{reference}/withdraw/."""

from collections.abc import Callable
from typing import Any

import pytest

from applications.models import ApplicationEvent, LoanApplication
from partners.models import Partner
from reviews.models import ReviewTask
from tests import casework
from tests.partners.api.calls import Caller, assert_problem, path
from workflows.models import OutboxMessage

Rows = Callable[[], tuple[int, ...]]


@pytest.mark.parametrize("body", [None, {}])
@pytest.mark.parametrize("state", ["submit", "waiting_for_manager", "offered"])
def test_case_that_is_not_paid_is_withdrawn_and_its_execution_stopped(
    api: Caller, partner: Partner, state: str, body: Any
) -> None:
    application = getattr(casework, state)(None, partner=partner)

    response = api.post(path(application.reference, "withdraw/"), body)

    assert response.status_code == 200
    assert response.json()["status"] == "withdrawn"
    assert response.json()["waiting_on"] is None
    assert response.json()["version"] == application.version + 1
    assert response.json() == api.get(path(application.reference)).json()
    line = ApplicationEvent.objects.filter(application=application).last()
    assert line is not None
    assert (line.kind, line.partner, line.actor) == ("withdrawn", partner, None)
    assert OutboxMessage.objects.filter(kind=OutboxMessage.Kind.STOP_EXECUTION).count() == 1
    assert not ReviewTask.objects.filter(status="open").exists()


def test_withdrawing_without_a_media_type_or_body_works(api: Caller, partner: Partner) -> None:
    application = casework.submit(None, partner=partner)

    response = api.call("POST", path(application.reference, "withdraw/"), content_type="")

    assert response.status_code == 200


def test_withdrawing_again_changes_nothing(api: Caller, partner: Partner, rows: Rows) -> None:
    application = casework.submit(None, partner=partner)
    first = api.post(path(application.reference, "withdraw/"))
    before = rows()

    second = api.post(path(application.reference, "withdraw/"))

    assert (second.status_code, second.json()) == (200, first.json())
    assert rows() == before


@pytest.mark.parametrize("state", ["disbursing", "funded"])
def test_case_whose_money_may_have_left_is_a_conflict(
    api: Caller, partner: Partner, rows: Rows, state: str
) -> None:
    application = getattr(casework, state)(None, partner=partner)
    before = rows()

    response = api.post(path(application.reference, "withdraw/"))

    problem = assert_problem(response, 409, "wrong-state")
    assert application.reference in problem["detail"]
    assert rows() == before
    assert LoanApplication.objects.get().status == application.status


def test_declined_case_is_a_conflict(api: Caller, partner: Partner) -> None:
    application = casework.submit(None, partner=partner, sin_last4="3333")
    casework.assess(application)

    assert_problem(api.post(path(application.reference, "withdraw/")), 409, "wrong-state")


def test_withdrawal_of_another_partners_case_is_not_found_and_nothing_happens(
    other_api: Caller, partner: Partner, submitted: LoanApplication, rows: Rows
) -> None:
    theirs = casework.submit(None, partner=partner)
    before = rows()

    for reference in (theirs.reference, submitted.reference, "LOAN-23456789"):
        assert_problem(other_api.post(path(reference, "withdraw/")), 404, "not-found")
    assert rows() == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"reason": "changed my mind"}, "invalid-request"),
        ([], "malformed-json"),
        (b"{", "malformed-json"),
        (b"null", "malformed-json"),
        (b" ", "malformed-json"),
    ],
)
def test_bad_body_is_refused_and_nothing_happens(
    api: Caller, partner: Partner, rows: Rows, body: Any, code: str
) -> None:
    application = casework.submit(None, partner=partner)
    before = rows()

    assert_problem(api.post(path(application.reference, "withdraw/"), body), 400, code)
    assert rows() == before
    assert LoanApplication.objects.get().status == "submitted"
