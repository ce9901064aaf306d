"""Problems: one form for everything that goes wrong under the prefix."""

import logging
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.db import IntegrityError, OperationalError
from django.http import Http404, HttpRequest
from django.test import Client, RequestFactory
from django.utils import timezone
from rest_framework.exceptions import ErrorDetail

from applications.api import views
from applications.models import LoanApplication
from applications.services import intake
from partners.api import problems
from partners.models import Partner
from partners.services import keys
from reviews import errors
from reviews.services import decisions
from tests import casework
from tests.partners.api.calls import ALICE, BASE, Caller, assert_problem, path

Rows = Callable[[], tuple[int, ...]]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "BREW"])
@pytest.mark.parametrize(
    "address",
    [
        "",
        "nothing",
        "nothing/",
        "applications",
        "applications/LOAN-1",
        "applications/LOAN-1/events",
        "webhook-events",
        "webhook-events/evt_1/",
        "applications/LOAN-1/document/",
        "applications/LOAN-1/offer/",
        "schema",
        "%00",
        "%ff",
        "ü/",
        "..%2f",
        "a\\b",
    ],
)
def test_unknown_path_is_not_found_for_anybody(db: None, method: str, address: str) -> None:
    response = Client().generic(method, f"/api/v1/{address}")

    if method != "HEAD":
        assert_problem(response, 404, "not-found")


@pytest.mark.parametrize(
    ("address", "methods", "allowed"),
    [
        (BASE, ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"], "GET, HEAD, POST"),
        (path("LOAN-1"), ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"], "GET, HEAD"),
        (path("LOAN-1", "events/"), ["POST", "PUT", "DELETE", "OPTIONS"], "GET, HEAD"),
        (path("LOAN-1", "withdraw/"), ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"], "POST"),
        (path("LOAN-1", "decision/"), ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"], "POST"),
        ("/api/v1/schema/", ["POST", "PUT", "OPTIONS"], "GET, HEAD"),
    ],
)
def test_method_that_is_not_there_is_405_with_those_that_are(
    api: Caller, address: str, methods: list[str], allowed: str
) -> None:
    for method in methods:
        response = api.call(method, address)

        assert response.status_code == 405, method
        assert response["Allow"] == allowed
        assert response["Content-Type"] == "application/problem+json"
        if method != "HEAD":
            assert_problem(response, 405, "method-not-allowed")


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/pdf", "x"])
def test_other_form_of_answer_is_406(api: Caller, accept: str) -> None:
    assert_problem(api.get(Accept=accept), 406, "not-acceptable")


@pytest.mark.parametrize(
    "accept",
    ["application/json", "*/*", "application/*", "text/html, */*;q=0.1", "application/json;q=0.5"],
)
def test_json_in_any_wording_is_acceptable(api: Caller, accept: str) -> None:
    assert api.get(Accept=accept).status_code == 200


def test_406_stores_nothing(api: Caller, rows: Rows) -> None:
    import json  # noqa: PLC0415

    response = api.call(
        "POST", BASE, data=json.dumps(ALICE).encode(), headers={"Accept": "text/html"}
    )

    assert_problem(response, 406, "not-acceptable")
    assert rows() == (0, 0, 0)


@pytest.mark.parametrize(
    ("offered", "kept"), [("crm-7", True), ("a" * 129, False), ("a\tb", False), ("", False)]
)
def test_request_id_is_taken_from_the_caller_or_made(api: Caller, offered: str, kept: bool) -> None:
    response = api.get(path("LOAN-1"), **{"X-Request-Id": offered})

    problem = assert_problem(response, 404, "not-found")
    if kept:
        assert problem["request_id"] == offered
    else:
        assert uuid.UUID(problem["request_id"])


# --- What nobody foresaw --------------------------------------------------------------------


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "error", [RuntimeError("secret 1111"), IntegrityError("secret"), LookupError("secret")]
)
def test_unforeseen_error_is_a_bare_500_and_logged(
    api: Caller,
    rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    def fail(**_: Any) -> None:
        raise error

    monkeypatch.setattr(intake, "_submit", fail)

    response = api.submit()

    assert_problem(response, 500, "internal-error")
    assert b"secret" not in response.content
    logged = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert any(record.exc_info and record.exc_info[1] is error for record in logged)
    assert rows() == (0, 0, 0)


def test_error_while_authenticating_is_a_bare_500(
    api: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*, key: str, address: str) -> None:
        raise OperationalError("secret: the database is down")

    monkeypatch.setattr("partners.api.authentication.partner_key_admit", fail)

    response = api.get()

    assert_problem(response, 500, "internal-error")
    assert b"secret" not in response.content


def test_row_that_is_missing_by_mistake_is_no_404(
    api: Caller, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> None:
        raise Partner.DoesNotExist

    monkeypatch.setattr(views.selectors, "application_get", fail)

    assert_problem(api.get(path("LOAN-1")), 500, "internal-error")


# --- Conflicts in the database --------------------------------------------------------------


class Victim:
    """A service that the database rolls back so many times, with this error."""

    def __init__(self, service: Callable[..., Any], times: int, error: Exception) -> None:
        self.service, self.times, self.error, self.calls = service, times, error, 0

    def __call__(self, **arguments: Any) -> Any:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return self.service(**arguments)


class DeadlockError(Exception):
    sqlstate = "40P01"


def database_error(words: str, cause: Exception | None = None) -> OperationalError:
    error = OperationalError(words)
    error.__cause__ = cause
    return error


CONFLICTS = {
    "deadlock": database_error("something", DeadlockError()),
    "words of PostgreSQL": database_error("deadlock detected"),
    "words of SQLite": database_error("database is locked"),
}


@pytest.mark.parametrize("error", CONFLICTS.values(), ids=CONFLICTS.keys())
def test_write_that_loses_once_is_done_again(
    api: Caller, rows: Rows, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    service = Victim(intake.application_create_and_submit, 1, error)
    monkeypatch.setattr(intake, "application_create_and_submit", service)

    assert api.submit().status_code == 201
    assert service.calls == 2
    assert rows() == (1, 2, 1)


@pytest.mark.parametrize("error", CONFLICTS.values(), ids=CONFLICTS.keys())
def test_write_that_loses_twice_is_a_conflict_and_nothing_is_stored(
    api: Caller, rows: Rows, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    service = Victim(intake.application_create_and_submit, 2, error)
    monkeypatch.setattr(intake, "application_create_and_submit", service)

    assert_problem(api.submit(), 409, "try-again")
    assert service.calls == 2
    assert rows() == (0, 0, 0)


@pytest.mark.parametrize("words", ["server closed the connection unexpectedly", "disk I/O error"])
def test_write_that_may_have_been_stored_is_not_done_again(
    api: Caller, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    service = Victim(intake.application_create_and_submit, 1, database_error(words))
    monkeypatch.setattr(intake, "application_create_and_submit", service)

    assert_problem(api.submit(), 500, "internal-error")
    assert service.calls == 1


def test_withdrawal_and_decision_are_done_again_too(
    api: Caller,
    as_staff: Callable[[User], Caller],
    manager: User,
    partner: Partner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = CONFLICTS["deadlock"]
    application = casework.waiting_for_manager(None, partner=partner)
    monkeypatch.setattr(decisions, "task_decide", Victim(decisions.task_decide, 1, error))
    withdraw = Victim(intake.application_withdraw, 1, error)
    monkeypatch.setattr(intake, "application_withdraw", withdraw)

    decided = as_staff(manager).post(path(application.reference, "decision/"), {"approved": True})
    withdrawn = api.post(path(application.reference, "withdraw/"))

    assert (decided.status_code, withdrawn.status_code) == (200, 200)


# --- From error to problem ------------------------------------------------------------------


def test_partner_is_not_told_which_member_of_staff_was_first() -> None:
    error = errors.AlreadyDecided(
        reference="LOAN-1", outcome="approve", decided_by="bosswick", at=timezone.now()
    )

    told = problems.problem_of(error)
    told_staff = problems.problem_of(error, to_staff=True)

    assert told is not None
    assert told_staff is not None
    assert "bosswick" not in told.detail
    assert "bosswick" in told_staff.detail


def test_partner_that_meets_a_decided_task_reads_no_name(
    api: Caller, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = errors.AlreadyDecided(
        reference="LOAN-1", outcome="approve", decided_by="bosswick", at=timezone.now()
    )
    application = casework.submit(None, partner=partner)
    monkeypatch.setattr(intake, "application_withdraw", Victim(lambda **_: None, 1, error))

    response = api.post(path(application.reference, "withdraw/"))

    assert_problem(response, 409, "already-decided")
    assert b"bosswick" not in response.content


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Http404("secret"), 404, "not-found"),
        (PermissionDenied("secret"), 403, "not-permitted"),
        (SuspiciousOperation("secret"), 400, "invalid-request"),
        (BadRequest("secret"), 400, "invalid-request"),
        (LoanApplication.DoesNotExist("secret"), 404, "not-found"),
    ],
)
def test_error_of_django_is_a_problem_without_its_words(
    error: Exception, status: int, code: str
) -> None:
    problem = problems.problem_of(error)

    assert problem is not None
    assert (problem.status, problem.code) == (status, code)
    assert "secret" not in str(problem.body("/"))


def test_nested_errors_are_told_by_path() -> None:
    nested = {"a": {"b": ["x", "y"], "c": [ErrorDetail("z")]}, "": ["w"]}

    assert problems.flat(nested) == {"a.b": ["x", "y"], "a.c": ["z"], "": ["w"]}
    assert problems.flat(["x"]) == {"body": ["x"]}


# --- Before and around a view -----------------------------------------------------------------


def test_host_that_is_not_ours_is_a_problem_under_the_prefix_and_a_page_elsewhere(
    db: None,
) -> None:
    client = Client(raise_request_exception=False)

    response = client.get(BASE, headers={"Host": "evil.example"})
    page = client.get("/admin/", headers={"Host": "evil.example"})

    assert_problem(response, 400, "invalid-request")
    assert page.status_code == 400
    assert page["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("address", "media"), [(BASE, "application/problem+json"), ("/admin/", "text/html")]
)
def test_error_outside_of_a_view_is_a_problem_under_the_prefix(address: str, media: str) -> None:
    request: HttpRequest = RequestFactory().get(address)

    response = problems.server_error(request)

    assert response.status_code == 500
    assert response["Content-Type"].startswith(media)


@pytest.mark.parametrize("size", [5, 2 * 1024 * 1024])
def test_form_posted_with_a_session_is_415_whatever_its_size(manager: User, size: int) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(manager)
    client.cookies["csrftoken"] = "a" * 32

    response = Caller(client=client).call(
        "POST",
        path("LOAN-1", "decision/"),
        data=b"x=" + b"x" * size,
        content_type="application/x-www-form-urlencoded",
    )

    assert_problem(response, 415, "unsupported-media-type")


def test_scopes_of_the_api_are_those_that_keys_can_have() -> None:
    used = {
        access.scope for view in views.ApiView.__subclasses__() for access in view.access.values()
    }

    assert used - {""} <= set(keys.SCOPES)
