"""Lambda's wire on loopback, with the durable SDK's own test runner behind it.

The product calls boto3 as it does in production; what answers is an HTTP server that
hands the durable function to ``DurableFunctionTestRunner`` and runs the plain one.
"""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote

from aws_durable_execution_sdk_python.lambda_service import CallbackOptions
from aws_durable_execution_sdk_python_testing import (
    DurableFunctionTestResult,
    DurableFunctionTestRunner,
)
from aws_durable_execution_sdk_python_testing.token import CallbackToken

from devtools.loopback_server import LoopbackServer
from tests.waiting import eventually
from workflows import engine


class Wire:
    """Recorded requests, the runner, and switches for faults.

    No callback times out by itself; ``time_out`` lets its time be over.
    """

    def __init__(self, *, skip_time: bool = True) -> None:
        from functions import fraud_check, loan_approval  # noqa: PLC0415 - after Django is ready

        self.runner = DurableFunctionTestRunner(
            handler=loan_approval.handler, poll_interval=0.02, skip_time=skip_time
        )
        executor = self.runner._executor
        # An invocation that raised is tried again; the testing SDK waits five seconds.
        executor.RETRY_BACKOFF_SECONDS = 0.05
        self.waits: dict[str, int] = {}  # seconds that the engine was told, by callback
        executor._schedule_callback_timeouts = self._note_wait
        self.fraud_check: Callable[[dict[str, Any], object], Any] | None = fraud_check.handler
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.arns: dict[str, str] = {}
        self.down = False
        self.pool = ThreadPoolExecutor(4)
        self.lock = threading.Lock()
        wire = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size) or b"{}")
                status, headers, answer = wire.answer(self.path, self.headers, body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self.server = LoopbackServer(Handler)
        self.server.start()

    @property
    def url(self) -> str:
        return self.server.url

    def answer(
        self, path: str, headers: Any, body: dict[str, Any]
    ) -> tuple[int, dict[str, str], Any]:
        """Status, headers and body of one answer."""
        parts = [unquote(part) for part in path.partition("?")[0].strip("/").split("/")]
        with self.lock:
            self.requests.append((path, body))
        if self.down:
            return 503, {"x-amzn-ErrorType": "ServiceException"}, {"Message": "down"}
        if parts[-1] == "invocations" and parts[2].startswith("fraud-check"):
            if self.fraud_check is not None:
                self.pool.submit(self.fraud_check, body, None)
            return 202, {}, {}
        if parts[-1] == "invocations":
            name = headers["X-Amz-Durable-Execution-Name"]
            with self.lock:
                if name not in self.arns:
                    self.arns[name] = self.runner.run_async(
                        input=json.dumps(body), function_name="loan-approval", execution_name=name
                    )
            return 202, {"X-Amz-Durable-Execution-Arn": self.arns[name]}, {}
        if parts[1] == "durable-execution-callbacks":
            self.runner.send_callback_success(parts[2], json.dumps(body).encode())
            return 200, {}, {}
        raise AssertionError(f"nothing answers {path}")

    def _note_wait(self, _: str, options: CallbackOptions | None, callback_id: str) -> None:
        self.waits[callback_id] = options.timeout_seconds if options else 0

    def time_out(self, callback_id: str) -> int:
        """Let a callback's time be over; returns how many seconds it had."""
        arn = CallbackToken.from_str(callback_id).execution_arn
        seconds = self.waits_for(callback_id)
        self.runner._executor._on_callback_timeout(arn, callback_id)
        return seconds

    def waits_for(self, callback_id: str) -> int:
        """Return how many seconds the engine was told to wait, once it was."""
        return eventually(lambda: self.waits.get(callback_id), what="the engine waits")

    def result(self, name: str, timeout: int = 60) -> DurableFunctionTestResult:
        """Wait until the execution has ended."""
        return self.runner.wait_for_result(self.arns[name], timeout=timeout)

    def close(self) -> None:
        self.server.stop()
        self.pool.shutdown(wait=True)
        self.runner.close()
        self.runner._scheduler._loop.close()


@contextmanager
def wire(monkeypatch: Any) -> Iterator[Wire]:
    """A wire that the product's boto3 speaks to until the block ends."""
    serving = Wire()
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", serving.url)
    engine.forget_client()
    try:
        yield serving
    finally:
        serving.close()
        engine.forget_client()
