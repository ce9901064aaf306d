"""A client that repeats requests until it has an answer, against a server with faults."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from devtools.chaos.client import Client, GaveUp

type Script = list[tuple[int, dict[str, str], bytes] | None]
DONE = (200, {"Content-Type": "application/json"}, b'{"reference": "LOAN-1"}')


class Server(ThreadingHTTPServer):
    """Answers by the script; ``None`` closes the connection without a word."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: Script = []
        self.reply_count: list[tuple[str, str, dict[str, str], bytes]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.reply_count.append((self.command, self.path, dict(self.headers), body))
        answer = self.server.script.pop(0)
        if answer is None:
            return
        status, headers, content = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Listener:
    """A client and how many answers it missed."""

    def __init__(self, server: Server) -> None:
        self.over = threading.Event()
        self.lost = 0
        self.client = Client(
            f"http://127.0.0.1:{server.server_address[1]}", over=self.over, lost=self._count
        )

    def _count(self) -> None:
        self.lost += 1


@pytest.fixture
def listener(server: Server) -> Iterator[Listener]:
    listener = Listener(server)
    yield listener
    listener.client.close()


def problem(status: int, code: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    body = f'{{"type": "/problems/{code}", "detail": "No."}}'.encode()
    return status, {"Content-Type": "application/problem+json", **headers}, body


def test_lost_answer_is_asked_for_again_with_the_same_words(
    server: Server, listener: Listener
) -> None:
    server.script = [None, DONE]
    answer = listener.client.ask("POST", "/a/", {"x": 1}, headers={"Idempotency-Key": "k"})
    assert (answer.status, answer.body, answer.lost) == (200, {"reference": "LOAN-1"}, 1)
    assert listener.lost == 1
    first, second = server.reply_count
    assert first[:2] == second[:2] == ("POST", "/a/")
    assert first[3] == second[3] == b'{"x": 1}'
    assert second[2]["Idempotency-Key"] == "k"


@pytest.mark.parametrize(
    ("refusal", "lost"),
    [
        (problem(500, "internal-error"), 1),
        (problem(503, "unavailable"), 1),
        (problem(429, "too-many-requests"), 0),
        (problem(409, "try-again"), 0),
        (problem(409, "idempotency-key-in-flight"), 0),
    ],
)
def test_answer_that_says_nothing_is_not_taken_for_one(
    server: Server, listener: Listener, refusal: tuple[int, dict[str, str], bytes], lost: int
) -> None:
    server.script = [refusal, DONE]
    answer = listener.client.ask("POST", "/a/", {})
    assert (answer.status, answer.lost) == (200, lost)
    assert len(server.reply_count) == 2


def test_refusal_is_an_answer(server: Server, listener: Listener) -> None:
    server.script = [problem(409, "already-decided")]
    answer = listener.client.ask("POST", "/a/", {})
    assert (answer.problem, answer.summary) == (
        "/problems/already-decided",
        "409 already-decided No.",
    )


def test_end_of_the_run_is_the_end_of_asking(server: Server, listener: Listener) -> None:
    server.script = [problem(429, "too-many-requests", **{"Retry-After": "30"})]
    listener.over.set()
    with pytest.raises(GaveUp, match=r"429 too-many-requests No\."):
        listener.client.ask("POST", "/a/", {})


def test_retry_after_is_waited_for(
    server: Server, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float | None] = []

    def wait(seconds: float | None = None) -> bool:
        waits.append(seconds)
        return False

    monkeypatch.setattr(listener.over, "wait", wait)
    server.script = [
        problem(429, "too-many-requests", **{"Retry-After": "7"}),
        problem(429, "too-many-requests", **{"Retry-After": "3600"}),
        DONE,
    ]
    listener.client.ask("POST", "/a/", {})
    assert waits == [7.0, 30.0]


def test_cookies_come_back_and_an_absolute_address_is_asked_here(
    server: Server, listener: Listener
) -> None:
    server.script = [(200, {"Set-Cookie": "csrftoken=abc; Path=/"}, b"{}"), DONE]
    listener.client.ask("GET", "/a/")
    listener.client.ask("GET", "https://elsewhere.example/b/?cursor=1")
    _, path, headers, _ = server.reply_count[1]
    assert path == "/b/?cursor=1"
    assert headers["Cookie"] == "csrftoken=abc"
    assert headers["X-CSRFToken"] == "abc"
