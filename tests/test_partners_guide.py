"""The Python of ``docs/partners.md`` does what it says.

Its lines for a shell run in ``tests.devtools.test_demo``, which has a demo already.
"""

import http.client
import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from applications.models import LoanApplication
from devtools.loopback_server import LoopbackServer
from partners.models import Partner
from tests.guide import blocks
from tests.hard_cases.serving import WebProcess, served
from webhooks.delivery import Outgoing, headers_of

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebProcess]:
    with served(tmp_path, monkeypatch) as process:
        yield process


def python(name: str) -> dict[str, Any]:
    """Run the guide's block that defines this name, and return its names."""
    (block,) = [
        block
        for block in blocks("python")
        if re.search(rf"^(class|def) {name}\b", block, re.MULTILINE)
    ]
    found: dict[str, Any] = {}
    exec(compile(block, "docs/partners.md", "exec"), found)  # noqa: S102 - it is ours
    return found


def test_client_submits_once_and_reads_every_page(
    server: WebProcess, partner: Partner, partner_key: str
) -> None:
    client = python("LoanOffice")["LoanOffice"](
        f"http://127.0.0.1:{server.port}/api/v1", partner_key
    )

    made = [
        client.submit(
            f"key-{number}", applicant_name="Alice Johnson", sin_last4="1111", loan_amount="1000.00"
        )
        for number in range(5)
    ]

    found = list(client.applications(page_size=2))
    assert [case["reference"] for case in found] == [case["reference"] for case in made[::-1]]
    with pytest.raises(ValueError, match="invalid-application"):
        client.submit("key-9", applicant_name="", sin_last4="1111", loan_amount="1000.00")


class BreakingProxy(BaseHTTPRequestHandler):
    """Forward each request to the server, and break the answer in the next way of ``ways``."""

    protocol_version = "HTTP/1.1"
    upstream = 0
    ways: ClassVar[list[str]] = []
    released = threading.Event()

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        asked = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=60)
        asked.request("POST", self.path, sent, dict(self.headers))
        answer = asked.getresponse()
        body = answer.read()
        asked.close()
        way = self.ways.pop(0) if self.ways else ""
        self.close_connection = True
        if way == "no answer":
            return
        if way == "too late":
            self.released.wait(60)
            return
        status, headers = answer.status, {"Content-Type": answer.headers["Content-Type"]}
        if way in BUSY:
            status, headers, body = BUSY[way]
        self.send_response(status)
        # Said, so that the client does not send its next request on a line that is being closed.
        said = {"Content-Length": str(len(body)), "Connection": "close"}
        for name, value in {**headers, **said}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if way == "cut body" else body)


BUSY: dict[str, tuple[int, dict[str, str], bytes]] = {
    "seconds": (503, {"Retry-After": "7"}, b"{}"),
    "a date": (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, b"{}"),
    "neither": (429, {"Retry-After": "soon"}, b"{}"),
    "a page": (502, {}, b"<html>Bad gateway</html>"),
    "try again": (409, {}, b'{"type": "/problems/try-again"}'),
    "in flight": (409, {}, b'{"type": "/problems/idempotency-key-in-flight"}'),
}


@pytest.fixture
def proxy(server: WebProcess) -> Iterator[LoopbackServer]:
    BreakingProxy.upstream, BreakingProxy.released = server.port, threading.Event()
    loopback = LoopbackServer(BreakingProxy)
    loopback.start()
    yield loopback
    BreakingProxy.released.set()
    loopback.stop()


def test_client_survives_each_way_in_which_the_line_breaks(
    proxy: LoopbackServer, partner_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, slept = python("LoanOffice"), list[float]()
    clock = SimpleNamespace(sleep=slept.append, time=time.time)
    monkeypatch.setitem(loaded, "time", clock)
    client = loaded["LoanOffice"](f"{proxy.url}/api/v1", partner_key, timeout=5)
    waits = {"no answer": 1, "cut body": 1, "too late": 1, "a page": 1, "neither": 1}
    waits |= {"seconds": 7, "a date": 0, "try again": 1, "in flight": 1}

    for number, (way, wait) in enumerate(waits.items()):
        BreakingProxy.ways, client.timeout = [way], 2 if way == "too late" else 30
        slept.clear()

        case = client.submit(
            f"key-{number}", applicant_name="Alice", sin_last4="1111", loan_amount="1000.00"
        )

        assert slept[0] == wait, way  # a server that is busy may ask for more
        assert LoanApplication.objects.latest("pk").reference == case["reference"], way
        assert LoanApplication.objects.count() == number + 1, way

    BreakingProxy.ways = ["cut body", "a page", "no answer"] * 2
    with pytest.raises(RuntimeError, match="no answer to POST /applications/"):
        client.submit("last", applicant_name="Alice", sin_last4="1111", loan_amount="1000.00")
    assert slept[1:] == [1, 2, 4, 8, 16, 32]


def test_verification_believes_what_we_sign_and_nothing_else() -> None:
    verify = python("verify")["verify"]
    other = "whsec_" + "A" * 32
    body = '{"type":"application.funded","data":{"reference":"LOAN-7Q2M9K4T","status":"funded"}}'
    outgoing = Outgoing(url="", public_id="evt_1", body=body, secrets=(other, SECRET))
    now = datetime.now(UTC)
    headers = headers_of(outgoing, at=now)

    assert verify(SECRET, headers, body.encode())
    assert verify(other, headers, body.encode())
    assert not verify("whsec_" + "B" * 32, headers, body.encode())
    assert not verify(SECRET, headers, body.replace("funded", "failed").encode())
    assert not verify(SECRET, {**headers, "webhook-id": "evt_2"}, body.encode())
    for minutes in (-6, 6):
        old = headers_of(outgoing, at=now + timedelta(minutes=minutes))
        assert not verify(SECRET, old, body.encode())


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-timestamp": None},
        {"webhook-id": None},
        {"webhook-signature": None},
        {"webhook-timestamp": "yesterday"},
        {"webhook-timestamp": "9" * 5000},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,é"},
        {"webhook-signature": "v1,\udcff"},
        {"webhook-id": "\udcff"},
    ],
)
def test_verification_of_what_is_none_of_ours_is_false(change: dict[str, str | None]) -> None:
    verify = python("verify")["verify"]
    outgoing = Outgoing(url="", public_id="evt_1", body="{}", secrets=(SECRET,))
    headers = {**headers_of(outgoing, at=datetime.now(UTC)), **change}

    sent = {name: value for name, value in headers.items() if value is not None}

    assert verify(SECRET, sent, b"{}") is False
    assert verify("whsec_not base64", sent, b"{}") is False


def test_client_is_about_fifty_lines() -> None:
    (block,) = [block for block in blocks("python") if "class LoanOffice" in block]

    assert sum(bool(line.strip()) for line in block.splitlines()) <= 50
