"""An answer of the engine that was cut short, as by ``kill -9`` of the engine, is no answer.

botocore takes what arrived as the whole answer: a list without its executions.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sizes import some
from workflows import engine
from workflows.errors import EngineUnavailable, NotFound

BODIES: dict[str, dict[str, Any]] = {
    "executions": {"DurableExecutions": []},
    "history": {"Events": []},
    "get": {"Status": "RUNNING"},
    "ping": {"DurableExecutions": []},
}
CALLS: dict[str, Callable[[], Any]] = {
    "executions": lambda: list(engine.executions()),
    "history": lambda: engine.history(arn="arn:1"),
    "get": lambda: engine.get(arn="arn:1"),
    "ping": engine.ping,
    "start": lambda: engine.start(function="loan-approval", name="LOAN-1-1", payload={}),
    "invoke_event": lambda: engine.invoke_event(function="fraud-check", payload={}),
    "callback_success": lambda: engine.callback_success(callback_id="c", result={}),
    "callback_heartbeat": lambda: engine.callback_heartbeat(callback_id="c"),
    "stop": lambda: engine.stop(arn="arn:1", error_type="x", message="x"),
    "pause": lambda: engine.pause(arn="arn:1", token="t", reason="x"),
    "resume": lambda: engine.resume(arn="arn:1", token="t"),
}


class CutEngine:
    """Answers each request with the first ``length`` bytes of ``answer``."""

    def __init__(self) -> None:
        self.answer, self.length = b"", 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:  # closed by ``stop``
                return
            with connection, connection.makefile("rb") as request:
                size = 0
                while (line := request.readline()).strip():
                    name, _, value = line.decode().partition(":")
                    size = int(value) if name.lower() == "content-length" else size
                request.read(size)
                connection.sendall(self.answer[: self.length])

    def stop(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Iterator[CutEngine]:
    server = CutEngine()
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", server.url)
    engine.forget_client()
    yield server
    engine.forget_client()
    server.stop()


def answer(status: str, body: dict[str, Any], *headers: str) -> bytes:
    content = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", "Connection: close"]
    lines += [*headers, f"Content-Length: {len(content)}", "", ""]
    return "\r\n".join(lines).encode() + content


def cuts(whole: bytes) -> list[int]:
    """After each line, in the middle of each header, before the body, in it, before its end."""
    ends = [at + 2 for at in range(len(whole)) if whole[at : at + 2] == b"\r\n"]
    return sorted({0, 5, *ends, *(end + 6 for end in ends[:-2]), len(whole) - 1} - {len(whole)})


@pytest.mark.parametrize("operation", CALLS)
def test_answer_that_was_cut_is_none(cut: CutEngine, operation: str) -> None:
    status = "202 Accepted" if operation in {"start", "invoke_event"} else "200 OK"
    cut.answer = answer(status, BODIES.get(operation, {}))
    if operation == "pause":
        cut.answer = answer(status, {"PauseTimestamp": 1})

    for length in cuts(cut.answer):
        cut.length = length
        with pytest.raises(EngineUnavailable):
            CALLS[operation]()
        assert engine.is_circuit_open()

    cut.length = len(cut.answer)
    CALLS[operation]()
    assert not engine.is_circuit_open()


@pytest.mark.long
@pytest.mark.parametrize("operation", some(CALLS, of=3))
def test_refusal_that_was_cut_is_none(cut: CutEngine, operation: str) -> None:
    error = "x-amzn-ErrorType: ResourceNotFoundException"
    cut.answer = answer("404 Not Found", {"Message": "There is none."}, error)

    for length in cuts(cut.answer):
        cut.length = length
        with pytest.raises(EngineUnavailable):
            CALLS[operation]()

    cut.length = len(cut.answer)
    with pytest.raises(NotFound):
        CALLS[operation]()
