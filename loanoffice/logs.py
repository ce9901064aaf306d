"""Format log lines: JSON for machines, one readable line for a terminal. Both have the ids.

JSON lines are those of Powertools for AWS Lambda, so that what is made for them finds its fields;
``docs/observability.md`` lists them. Neither format has personal data: what an exception says is
logged only as far as ``logged_errors`` allows it.
"""

import logging
import sys
from datetime import datetime
from typing import Any

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from django.conf import settings

from audit.tracing import application_reference, execution_name, request_id
from core import invocations
from loanoffice.logged_errors import shown, traceback_of
from loanoffice.request_id import KEPT

STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
# What Django adds to its records: the request's ``repr`` has the query string, which has names.
UNUSED = frozenset({"request", "server_time"})
# What nobody reads in a terminal, or the execution's name says as well.
SHORTENED = frozenset({"attempt", "span_id", "status_code"})


def extras(record: logging.LogRecord) -> dict[str, object]:
    """Return the ids of the work that a line is about, and the extra fields of its record."""
    found: dict[str, object] = {
        name: shown(value)
        for name, value in record.__dict__.items()
        if name not in STANDARD and name not in UNUSED
    }
    return {**ids(), **of_request(record), **found}


def of_request(record: logging.LogRecord) -> dict[str, object]:
    """Return the id of the request that Django logs when its response is complete."""
    request = getattr(record, "request", None)
    kept = getattr(request, "META", {}).get(KEPT)
    return {"request_id": kept} if kept else {}


def ids() -> dict[str, object]:
    """Return the ids of the present request, execution, application and span, as far as known."""
    found: dict[str, object] = {}
    if execution := execution_name.get():
        reference, _, attempt = execution.rpartition("-")
        found |= {"application": reference, "execution": execution}
        if attempt.isdecimal():
            found["attempt"] = int(attempt)
    elif application := application_reference.get():
        found["application"] = application
    if request := request_id.get():
        found["request_id"] = request
    return found | span_ids()


def span_ids() -> dict[str, object]:
    """Return the ids of the current OpenTelemetry span; nothing is imported to find none."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return {}
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return {}
    return {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}


def message_of(record: logging.LogRecord) -> str:
    """Return the message of a record, its exceptions described."""
    message = str(shown(record.msg))
    if not record.args:
        return message
    if not isinstance(record.args, tuple):
        return message % record.args
    request = getattr(record, "request", None)
    path = getattr(request, "path", None)
    return message % tuple(
        route_of(request) if path is not None and each == path else shown(each)
        for each in record.args
    )


def route_of(request: Any) -> str:
    """Return the route of a request: its path may have a name, or the token of a callback."""
    return getattr(getattr(request, "resolver_match", None), "route", "") or "no route"


def function() -> str | None:
    """Return the name of the function, or of the demo's process, that this process is."""
    return settings.LOANOFFICE_FUNCTION or settings.LOANOFFICE_PROCESS or None


def error_of(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if record.exc_info else None


class JsonFormatter(LambdaPowertoolsFormatter):
    """One JSON object a line, as Powertools writes it.

    ``level``, ``location``, ``message``, ``timestamp`` (UTC), ``logger``, ``service``, ``stage``
    and ``function``, on Lambda also those of its invocation, then the ids and the extras.
    """

    def __init__(self) -> None:
        super().__init__(
            use_rfc3339=True,
            utc=True,
            serialize_stacktrace=False,
            service=settings.LOANOFFICE_SERVICE,
            stage=settings.LOANOFFICE_STAGE,
            function=function(),
        )

    def _extract_log_keys(self, log_record: logging.LogRecord) -> dict[str, Any]:
        found: dict[str, Any] = super()._extract_log_keys(log_record)
        for name in (*STANDARD, *UNUSED):
            if name not in self.log_format:
                found.pop(name, None)
        invocation = invocations.current()
        if invocation is not None:
            found["cold_start"] = invocation.is_cold_start
            found["function_name"] = invocation.function_name
            found["function_request_id"] = invocation.aws_request_id
        return {**found, "logger": log_record.name, **extras(log_record)}

    def _extract_log_message(self, log_record: logging.LogRecord) -> Any:
        return message_of(log_record)

    def _extract_log_exception(self, log_record: logging.LogRecord) -> Any:
        error = error_of(log_record)
        if error is None:
            return None, None, None
        return traceback_of(error), type(error).__name__, None


class LineFormatter(logging.Formatter):
    """``09:00:00 INFO web workflows.outbox.queue Sent (key=...)`` and the traceback, if any."""

    def __init__(self) -> None:
        super().__init__()
        self.function = f"{found} " if (found := function()) else ""

    def format(self, record: logging.LogRecord) -> str:
        facts = {name: value for name, value in extras(record).items() if name not in SHORTENED}
        tail = f" ({', '.join(f'{k}={v}' for k, v in facts.items())})" if facts else ""
        when = datetime.fromtimestamp(record.created).astimezone()
        text = (
            f"{when:%H:%M:%S} {record.levelname} {self.function}{record.name} "
            f"{message_of(record)}{tail}"
        )
        error = error_of(record)
        return text if error is None else f"{text}\n{traceback_of(error)}"
