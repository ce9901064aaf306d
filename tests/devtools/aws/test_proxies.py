"""The front and the endpoint of the emulated AWS pass each request to the part that it is for."""

import http.client
import json
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from devtools.aws.front import CERTIFICATE, front
from devtools.aws.names import DOMAIN, FRAUD_CHECK, LOAN_APPROVAL, MANAGE, STATIC, WEB
from devtools.aws.proxy import Destination, Proxy
from devtools.aws.router import is_for_the_engine, router
from devtools.loopback_server import LoopbackServer
from devtools.ports import free_port

BYTES = bytes(range(256)) * 3


class Echo(BaseHTTPRequestHandler):
    """Answer with what was asked: the line, the headers and the length of the body."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        told = {
            "line": f"{self.command} {self.path}",
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": list(body),
        }
        answer = json.dumps(told).encode()
        self.send_response(204 if self.path.endswith("/nothing") else 201)
        for number in "12":
            self.send_header("Set-Cookie", f"cookie{number}=yes")
        length = 0 if self.path.endswith("/nothing") else len(answer)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD" and length:
            self.wfile.write(answer)

    do_GET = do_HEAD = do_POST = do_PUT  # noqa: N815


@pytest.fixture(scope="module")
def behind() -> Iterator[LoopbackServer]:
    server = LoopbackServer(Echo)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def proxy(behind: LoopbackServer) -> Iterator[Proxy]:
    def choose(path: str) -> Destination:
        return Destination(behind.server_port, f"/there{path}", {"X-More": "more"})

    server = Proxy(0, choose)
    server.start()
    yield server
    server.stop()


def ask(
    proxy: Proxy, method: str, path: str, body: object = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.server_port, timeout=10)
    connection.request(method, path, body, headers)  # type: ignore[arg-type]
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


@pytest.mark.parametrize("chunked", [False, True])
def test_request_is_passed_on_as_it_is_and_its_answer_back(proxy: Proxy, chunked: bool) -> None:
    body = iter([BYTES[:100], BYTES[100:]]) if chunked else BYTES
    answer, content = ask(proxy, "PUT", "/a%20b?c=d", body, Host=DOMAIN, Cookie="one=1")
    told = json.loads(content)
    assert told["line"] == "PUT /there/a%20b?c=d"
    assert bytes(told["body"]) == BYTES
    assert told["headers"]["host"] == DOMAIN
    assert told["headers"]["cookie"] == "one=1"
    assert told["headers"]["x-more"] == "more"
    assert answer.status == 201
    assert answer.headers.get_all("Set-Cookie") == ["cookie1=yes", "cookie2=yes"]


def test_answer_to_head_has_the_length_of_what_a_get_has(proxy: Proxy) -> None:
    answer, content = ask(proxy, "HEAD", "/")
    assert (answer.status, content) == (201, b"")
    assert int(answer.headers["Content-Length"]) > 100


def test_answer_without_a_body_keeps_the_length_that_it_named(proxy: Proxy) -> None:
    """The product takes an answer of Lambda without one for a cut one."""
    answer, content = ask(proxy, "POST", "/nothing")
    assert (answer.status, content, answer.headers["Content-Length"]) == (204, b"", "0")


def test_part_that_does_not_answer_is_a_bad_gateway() -> None:
    nobody = free_port()
    server = Proxy(0, lambda path: Destination(nobody, path))
    server.start()
    try:
        assert ask(server, "GET", "/")[0].status == 502
    finally:
        server.stop()


OF_THE_ENGINE = [
    f"/2025-12-01/functions/{LOAN_APPROVAL}/durable-executions?Statuses=RUNNING",
    "/2025-12-01/durable-execution-callbacks/abc/succeed",
    f"/2015-03-31/functions/{LOAN_APPROVAL}%3Alive/invocations",
    f"/2015-03-31/functions/{LOAN_APPROVAL}/invocations?Qualifier=live",
    f"/2015-03-31/functions/arn%3Aaws%3Alambda%3Ax%3A1%3Afunction%3A{FRAUD_CHECK}%3Alive/invocations",
]
OF_THE_EMULATOR = [
    f"/2015-03-31/functions/{MANAGE}/invocations?Qualifier=1",
    f"/2015-03-31/functions/{WEB}/invocations",
    f"/2015-03-31/functions/{LOAN_APPROVAL}/invocations",  # of the latest code, which nobody does
    f"/2015-03-31/functions/{LOAN_APPROVAL}/versions",
    "/loanoffice-demo-packages/2025-12-01/functions",
]


@pytest.mark.parametrize("path", OF_THE_ENGINE)
def test_durable_operations_are_the_engines(path: str) -> None:
    assert is_for_the_engine(path)


@pytest.mark.parametrize("path", OF_THE_EMULATOR)
def test_everything_else_is_the_emulators(path: str) -> None:
    assert not is_for_the_engine(path)


def test_zappas_name_of_a_function_is_one_that_the_emulator_knows(behind: LoopbackServer) -> None:
    server = router(0, emulator=behind.server_port, engine=free_port())
    server.start()
    try:
        told = json.loads(ask(server, "GET", f"/2015-03-31/functions/function:{WEB}")[1])
    finally:
        server.stop()
    assert told["line"] == f"GET /2015-03-31/functions/{WEB}"


def test_there_are_no_executions_before_the_engine_began() -> None:
    begun = False
    server = router(0, emulator=free_port(), engine=free_port(), has_begun=lambda: begun)
    server.start()
    try:
        before = ask(server, "GET", OF_THE_ENGINE[0])
        other = ask(server, "GET", OF_THE_ENGINE[1])[0]
        begun = True
        after = ask(server, "GET", OF_THE_ENGINE[0])[0]
    finally:
        server.stop()
    assert (before[0].status, json.loads(before[1])) == (200, {"DurableExecutions": []})
    assert (other.status, after.status) == (502, 502)


def test_front_is_trusted_by_its_certificate_and_says_that_it_ended_tls(
    behind: LoopbackServer, tmp_path: Path
) -> None:
    server = front(0, emulator=behind.server_port, folder=tmp_path)
    server.start()
    context = ssl.create_default_context(cafile=str(tmp_path / CERTIFICATE))
    connection = http.client.HTTPSConnection(
        "127.0.0.1", server.server_port, timeout=10, context=context
    )
    try:
        told = []
        for path in ("/admin/login/?next=/", "/static/loanoffice/a%20b.css"):
            connection.request("GET", path, headers={"Host": DOMAIN, "X-Forwarded-Proto": "http"})
            told.append(json.loads(connection.getresponse().read()))
    finally:
        connection.close()
        server.stop()
    page, file = told
    assert page["line"] == "GET /admin/login/?next=/"
    assert page["headers"]["host"] == DOMAIN
    assert page["headers"]["x-forwarded-proto"] == "https"
    assert file["line"] == f"GET /{STATIC}/loanoffice/a%20b.css"
    assert file["headers"]["host"] == f"127.0.0.1:{behind.server_port}"
    assert (tmp_path / CERTIFICATE).stat().st_mode & 0o077 == 0
