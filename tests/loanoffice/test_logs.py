"""The fields of a log line, in JSON and in a terminal, and what it leaves out."""

import json
import logging
import smtplib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from django.conf import settings
from django.db import DataError, OperationalError
from django.test import Client, RequestFactory
from opentelemetry import trace

from audit.tracing import application_reference, execution_name, request_id, work_on
from core import invocations
from loanoffice.logged_errors import OWN
from loanoffice.logs import JsonFormatter, LineFormatter
from workflows.errors import PayoutRefused

NAME = "Zebulon Quackenbush"


def record(message: Any = "Sent", *args: Any, error: Exception | None = None, **extra: Any) -> Any:
    found = logging.makeLogRecord(
        {"name": "workflows", "levelno": logging.WARNING, "levelname": "WARNING", "msg": message}
    )
    found.args = args
    found.exc_info = (type(error), error, error.__traceback__) if error else None
    found.__dict__.update(extra)
    return found


def line(*args: Any, **extra: Any) -> dict[str, Any]:
    return json.loads(JsonFormatter().format(record(*args, **extra)))


def raised(do: Callable[[], object]) -> Exception:
    try:
        do()
    except Exception as error:  # noqa: BLE001 - any error of the caller's is what it wants
        return error
    raise AssertionError("nothing was raised")


def raise_from(cause: Exception) -> None:
    raise RuntimeError("outer") from cause


@pytest.fixture
def on_lambda(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LOANOFFICE_ON_LAMBDA = True
    settings.LOANOFFICE_FUNCTION = "fraud-check"
    monkeypatch.setattr(invocations._Process, "current", None)


def test_line_has_powertools_fields_and_the_ids_of_the_work() -> None:
    before = [each.get() for each in (execution_name, application_reference, request_id)]
    with work_on(execution="LOAN-22223333-2", request="request-42"):
        found = line(message_id=7)
    assert {name: found[name] for name in found.keys() - {"timestamp", "location"}} == {
        "level": "WARNING",
        "message": "Sent",
        "logger": "workflows",
        "service": "loanoffice",
        "stage": "local",
        "application": "LOAN-22223333",
        "execution": "LOAN-22223333-2",
        "attempt": 2,
        "request_id": "request-42",
        "message_id": 7,
    }
    assert found["timestamp"].endswith("+00:00")
    assert [each.get() for each in (execution_name, application_reference, request_id)] == before


def test_terminal_has_one_readable_line_with_the_ids() -> None:
    with work_on(application="LOAN-22223333", request="request-42"):
        text = LineFormatter().format(record("Sent %s", "it", key="start/1"))
    assert text[9:] == (
        "WARNING workflows Sent it (application=LOAN-22223333, request_id=request-42, key=start/1)"
    )


def test_first_invocation_of_a_process_is_its_cold_start(on_lambda: None) -> None:
    said = []
    for number in (1, 1, 2):  # the first is noted twice: by the handler and by what it calls
        invocations.begin(SimpleNamespace(function_name="fraud", aws_request_id=f"id-{number}"))
        said.append({n: line()[n] for n in ("cold_start", "function_name", "function_request_id")})
    cold = {"cold_start": True, "function_name": "fraud", "function_request_id": "id-1"}
    warm = {"cold_start": False, "function_name": "fraud", "function_request_id": "id-2"}
    assert said == [cold, cold, warm]
    assert line()["function"] == "fraud-check"


def test_invocations_are_known_on_lambda_only() -> None:
    invocations.begin(SimpleNamespace(function_name="fraud", aws_request_id="id-1"))
    assert invocations.current() is None
    assert "cold_start" not in line()


def test_line_names_the_current_span() -> None:
    context = trace.SpanContext(trace_id=0xABC, span_id=0xDEF, is_remote=False)
    with trace.use_span(trace.NonRecordingSpan(context)):
        found = line()
    assert (found["trace_id"], found["span_id"]) == (f"{0xABC:032x}", f"{0xDEF:016x}")
    assert "trace_id" not in line()


def quoting() -> dict[str, Exception]:
    """Errors whose words quote a person, as the libraries raise them."""
    return {
        "value": raised(lambda: float(NAME)),
        "key": raised(lambda: {}[NAME]),
        "json": raised(lambda: b"\xff".decode() or NAME),
        "mail": smtplib.SMTPRecipientsRefused({NAME: (550, b"unknown")}),
        "row": DataError(f"Failing row contains ({NAME})"),
        "connection": OperationalError(f"canceled\nCONTEXT: row of {NAME}"),
        "payout": PayoutRefused("The rail refused it with 403.", reason=f"{NAME} has no account"),
        "aws": ParamValidationError(report=f"invalid value: {NAME}"),
        "group": ExceptionGroup("two", [ValueError(NAME), KeyError(NAME)]),
    }


@pytest.mark.parametrize("kind", quoting())
def test_words_of_an_error_that_may_quote_somebody_are_left_out(kind: str) -> None:
    error = quoting()[kind]
    error.add_note(NAME)
    outer = raised(lambda: raise_from(error))
    for formatter in (JsonFormatter(), LineFormatter()):
        for made in (
            record("It failed", error=error),
            record("It failed", error=outer),
            record("It failed: %s", error),
            record(error),
            record("It failed", why=error),
        ):
            text = formatter.format(made)
            assert NAME not in text
            assert type(error).__name__ in text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OperationalError("connection refused"), "connection refused"),
        (ConnectionRefusedError(111, "Connection refused"), "[Errno 111] Connection refused"),
        (raised(lambda: None.missing), "'NoneType' object has no attribute 'missing'"),  # type: ignore[attr-defined]
        (PayoutRefused("Refused with 403.", reason="x"), "Refused with 403."),
        (ClientError({"Error": {"Code": "Busy", "Message": "slow"}}, "Invoke"), "(Busy)"),
    ],
)
def test_words_about_code_and_connections_are_kept(error: Exception, words: str) -> None:
    found = line("It failed", error=error)
    assert words in found["exception"]
    assert found["exception_name"] == type(error).__name__


def test_traceback_names_the_places_and_the_cause() -> None:
    inner = raised(lambda: int("x"))
    outer = raised(lambda: raise_from(inner))
    text = line("It failed", error=outer)["exception"]
    assert text.index("ValueError") < text.index("direct cause") < text.index("RuntimeError: outer")
    assert "test_logs.py" in text


def test_path_and_query_string_are_in_no_line() -> None:
    request = RequestFactory().get(f"/callbacks/{NAME}/", {"q": NAME})
    request.META["loanoffice.request_id"] = "request-42"
    found = line("Not Found: %s", request.path, request=request)
    assert (found["message"], found["request_id"]) == ("Not Found: no route", "request-42")
    assert "Quackenbush" not in str(found)


def test_request_that_may_change_something_is_logged_by_its_route(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    Client().get("/health/live/")
    Client().post(f"/health/live/?q={NAME}", headers={"x-request-id": "request-42"})
    (answered,) = [each for each in caplog.records if each.getMessage() == "Answered"]
    assert (answered.method, answered.route, answered.status) == ("POST", "health/live/", 405)


def test_packages_whose_errors_are_logged_whole_are_those_of_the_product() -> None:
    folders = {path.parent.name for path in settings.BASE_DIR.glob("*/__init__.py")}

    assert folders - {"tests"} == OWN
