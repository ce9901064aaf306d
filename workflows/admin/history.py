"""The history of one execution, read from the engine when a person opens the page.

The engine answers a few such requests a second for the whole account, and keeps the history
for a limited time; Django's timeline is the record. Payloads are not requested, and of an error
only the type is shown: messages may contain personal data.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from core.admin.base import ReadOnlyAdmin
from core.admin.view_helpers import admin_page
from workflows import engine
from workflows.admin.durations import span
from workflows.admin.waterfall import waterfall
from workflows.errors import EngineError, EngineUnavailable, NotFound
from workflows.models import Execution

NOT_STARTED = "The engine has not started this execution yet, so it has no history."
GONE = (
    "The engine keeps history for a limited time, and has none of this execution (any more). "
    "The application's own log keeps what happened."
)
SILENT = "The engine cannot be reached now, so its history cannot be shown. Try again later."
REFUSED = "The engine did not tell its history: {}"


@dataclass(frozen=True)
class Shown:
    """One event in the form that the page shows."""

    number: int
    at: datetime
    event: str
    name: str
    details: str
    is_bad: bool


def history_page(
    model_admin: ReadOnlyAdmin[Execution], request: HttpRequest, execution: Execution
) -> HttpResponse:
    """Render the waterfall and the table of events, or the sentence that says why there is none."""
    told, sentence = read_events(execution)
    return admin_page(
        model_admin,
        request,
        "workflows/admin/history.html",
        title=f"History of {execution}",
        original=execution,
        events=list(shown(told)),
        waterfall=waterfall(told, now=timezone.now()),
        sentence=sentence,
    )


def read(execution: Execution) -> tuple[list[Shown], str]:
    """Return the engine's events as the pages show them, or none and the sentence that says why."""
    told, sentence = read_events(execution)
    return list(shown(told)), sentence


def read_events(execution: Execution) -> tuple[list[dict[str, Any]], str]:
    """Return the engine's events, or none and the sentence that says why."""
    if execution.arn is None:
        return [], NOT_STARTED
    try:
        return engine.history(arn=execution.arn), ""
    except NotFound:
        return [], GONE
    except EngineUnavailable:
        return [], SILENT
    except EngineError as error:
        return [], REFUSED.format(error)


def shown(events: list[dict[str, Any]]) -> Iterator[Shown]:
    """Yield the engine's events, oldest first."""
    started: dict[str, datetime] = {}
    for event in events:
        kind = str(event["EventType"])
        at: datetime = event["EventTimestamp"]
        operation = str(event.get("Id", ""))
        details = [*_details(event.get(f"{kind}Details") or {})]
        if kind.endswith("Started"):
            started[operation] = at
        elif operation in started:
            details.insert(0, f"after {span((at - started[operation]).total_seconds())}")
        yield Shown(
            number=int(event["EventId"]),
            at=at,
            event=re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).capitalize(),
            name=str(event.get("Name") or ""),
            details=", ".join(details),
            is_bad=kind.endswith(("Failed", "TimedOut")),
        )


def _details(details: dict[str, Any]) -> Iterator[str]:
    """Yield the details of an event, the most important first."""
    if "StartTimestamp" in details and "EndTimestamp" in details:
        took: float = (details["EndTimestamp"] - details["StartTimestamp"]).total_seconds()
        yield f"took {span(took)}"
    error = (details.get("Error") or {}).get("Payload") or {}
    if error.get("ErrorType"):
        yield str(error["ErrorType"])
    retry = details.get("RetryDetails") or {}
    if retry.get("CurrentAttempt"):
        yield f"try {retry['CurrentAttempt']}"
    if retry.get("NextAttemptDelaySeconds"):
        yield f"again in {span(retry['NextAttemptDelaySeconds'])}"
    for field, words in (
        ("ExecutionTimeout", "may take"),
        ("Timeout", "waits for"),
        ("HeartbeatTimeout", "a sign of life every"),
        ("Duration", "for"),
    ):
        if details.get(field):
            yield f"{words} {span(details[field])}"
