"""A Lambda endpoint on loopback that answers as a test tells it to, and records."""

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from devtools.loopback_server import LoopbackServer
from workflows import engine

type Page = dict[str, Any] | tuple[int, str]


class LambdaStub:
    """``answers``: (status, error type) for the next requests; empty means yes.

    ``pages``: what the next reads find; (status, error type) instead is an error. Empty means
    that nothing is known of what is asked. ``reads`` are the paths that were read.

    ``known``: what reads of a path find each time, an error as in ``pages``; a list by name finds
    what has it.
    ``answering``: reads wait for it. ``calls`` are the paths of all requests in their order.
    """

    def __init__(self) -> None:
        self.answers: deque[tuple[int, str]] = deque()
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.clients: set[tuple[str, int]] = set()  # one address for each connection
        self.together = self.most_together = 0  # requests under way at once
        self.takes = 0.0  # seconds for each answer
        self.ended: dict[str, str] = {}  # path of an execution: how it ended by itself
        self.lock = threading.Lock()
        self.pages: deque[Page] = deque()
        self.reads: list[str] = []
        self.known: dict[str, Page] = {}
        self.answering = threading.Event()
        self.answering.set()
        self.calls: list[str] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size) or b"{}")
                is_invoke = self.path.endswith("/invocations")
                with stub.lock:
                    stub.calls.append(self.path)
                    stub.requests.append((self.path, dict(self.headers), body))
                    stub.clients.add(self.client_address)
                    stub.together += 1
                    stub.most_together = max(stub.most_together, stub.together)
                    status, error = (
                        stub.answers.popleft() if stub.answers else (202 if is_invoke else 200, "")
                    )
                time.sleep(stub.takes)
                with stub.lock:
                    stub.together -= 1
                name = self.headers["X-Amz-Durable-Execution-Name"]
                arn = f"arn:{name}" if is_invoke and not error else ""
                self.reply(status, {"Message": error} if error else {}, error=error, arn=arn)

            def do_GET(self) -> None:
                """The next of ``pages``; an execution that was asked to stop has stopped."""
                stub.calls.append(self.path)
                stub.reads.append(self.path)
                stub.answering.wait(60)
                path = self.path.partition("?")[0]
                if path in stub.known:
                    page = of_name(stub.known[path], self.path)
                elif stub.pages:
                    page = stub.pages.popleft()
                elif path in stub.ended:
                    page = {"Status": stub.ended[path]}
                elif any(asked == f"{path}/stop" for asked, _, _ in stub.requests):
                    page = {"Status": "STOPPED"}
                else:
                    page = (404, "ResourceNotFoundException")
                if isinstance(page, tuple):
                    self.reply(page[0], {"Message": page[1]}, error=page[1])
                else:
                    self.reply(200, page)

            def reply(self, status: int, body: Any, *, error: str = "", arn: str = "") -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                if error:
                    self.send_header("x-amzn-ErrorType", error)
                if arn:
                    self.send_header("X-Amz-Durable-Execution-Arn", arn)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self.server = LoopbackServer(Handler)
        self.server.start()

    def name(self, index: int) -> str:
        """The durable execution's name in a request."""
        return self.requests[index][1].get("X-Amz-Durable-Execution-Name", "")


def of_name(page: Page, path: str) -> Page:
    names = parse_qs(urlsplit(path).query).get("DurableExecutionName")
    if names is None or isinstance(page, tuple):
        return page
    items = page["DurableExecutions"]
    return {"DurableExecutions": [item for item in items if item["DurableExecutionName"] in names]}


@contextmanager
def lambda_stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LambdaStub]:
    """A stub that the product's boto3 speaks to until the block ends."""
    stub = LambdaStub()
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", stub.server.url)
    engine.forget_client()
    try:
        yield stub
    finally:
        stub.answering.set()
        stub.server.stop()
        engine.forget_client()
