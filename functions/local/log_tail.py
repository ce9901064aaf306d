"""Collect what a plain function logs and prints, for a caller that asks for the tail of its log.

Lambda has a log of its own for each invocation. Here all functions share a process, so what is
collected is what the thread of the invocation says, while it says it: through ``logging``, to the
root logger's handlers, and through ``print``.
"""

import base64
import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from functions.local.function import LocalContext

# "The last 4 KB of the execution log, which is base64-encoded."
TAIL_BYTES = 4096

ENGINE = __name__.rpartition(".")[0]  # whose own records are not the function's

_current: ContextVar["LogTail | None"] = ContextVar("log tail", default=None)


class LogTail:
    """The log of one invocation."""

    def __init__(self, context: LocalContext) -> None:
        self.request_id = context.aws_request_id
        self._memory = context.memory_limit_in_mb
        self._began = time.monotonic()
        self._parts = [f"START RequestId: {self.request_id} Version: {context.function_version}\n"]

    def write(self, text: str) -> None:
        """Add what was printed."""
        self._parts.append(text)

    def add_error(self, kind: str, message: str, trace: list[str]) -> None:
        """Add the error that the function raised."""
        head = f"[ERROR] {kind}: {message}\nTraceback (most recent call last):\n"
        self._parts.append(head + "".join(trace))

    def encoded(self) -> str:
        """Close the log and return its tail for the header."""
        milliseconds = (time.monotonic() - self._began) * 1000
        self._parts.append(
            f"\nEND RequestId: {self.request_id}\nREPORT RequestId: {self.request_id}\t"
            f"Duration: {milliseconds:.2f} ms\tBilled Duration: {int(milliseconds) + 1} ms\t"
            f"Memory Size: {self._memory} MB\t\n"
        )
        whole = "".join(self._parts).encode(errors="replace")
        return base64.b64encode(whole[-TAIL_BYTES:]).decode()


class _Handler(logging.Handler):
    """Add the records of an invocation's thread to its log, as Lambda formats them."""

    def emit(self, record: logging.LogRecord) -> None:
        tail = _current.get()
        if tail is not None and not record.name.startswith(ENGINE):
            at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            tail.write(
                f"[{record.levelname}]\t{at}.{int(record.msecs):03}Z\t{tail.request_id}\t"
                f"{self.format(record)}\n"
            )


class _Output:
    """Standard output that is also written to the log of the invocation whose thread it is."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        tail = _current.get()
        if tail is not None:
            tail.write(text)
        return int(self.stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class _Collection:
    """The handler and the output, in place for as long as any log is collected."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handler = _Handler()
        self._users = 0
        self._output: _Output | None = None

    def begin(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                logging.getLogger().addHandler(self._handler)
                sys.stdout = self._output = _Output(sys.stdout)

    def end(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                logging.getLogger().removeHandler(self._handler)
                if self._output is not None and sys.stdout is self._output:
                    sys.stdout = self._output.stream


_collection = _Collection()


@contextmanager
def log_of(context: LocalContext) -> Iterator[LogTail]:
    """Collect the log of the invocation that this thread runs."""
    tail = LogTail(context)
    _collection.begin()
    token = _current.set(tail)
    try:
        yield tail
    finally:
        _current.reset(token)
        _collection.end()
