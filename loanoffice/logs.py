"""Format log lines: JSON for machines, one readable line for a terminal. Both have the ids."""

import json
import logging
from datetime import UTC, datetime

from audit.tracing import execution_name, request_id

STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def extras(record: logging.LogRecord) -> dict[str, object]:
    """Return the extra fields of a record, and the ids of the request and execution."""
    found = {name: value for name, value in record.__dict__.items() if name not in STANDARD}
    for name, variable in (("request_id", request_id), ("execution", execution_name)):
        if variable.get():
            found.setdefault(name, variable.get())
    return found


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time``, ``level``, ``logger``, ``message`` and the extras."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **extras(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class LineFormatter(logging.Formatter):
    """``09:00:00 INFO workflows.outbox.queue Sent start (message=1)`` and the traceback, if any."""

    def format(self, record: logging.LogRecord) -> str:
        facts = {
            name: value
            for name, value in extras(record).items()
            if name not in {"request", "server_time", "status_code"}
        }
        tail = f" ({', '.join(f'{k}={v}' for k, v in facts.items())})" if facts else ""
        when = datetime.fromtimestamp(record.created).astimezone()
        text = f"{when:%H:%M:%S} {record.levelname} {record.name} {record.getMessage()}{tail}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text
