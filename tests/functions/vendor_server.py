"""A fraud vendor on loopback: it is asked over HTTP, and answers over HTTP when told to."""

import json
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self

import urllib3

from devtools.loopback_server import LoopbackServer
from tests.waiting import eventually
from tests.workflows.callbacks.vendor import KEY, headers, sign
from workflows.providers.http import POOL


class Asked:
    """One question: its headers and its body, to the byte."""

    def __init__(self, sent: dict[str, str], body: bytes) -> None:
        self.headers = {name.lower(): value for name, value in sent.items()}
        self.body = body
        self.said: dict[str, Any] = json.loads(body)

    @property
    def is_signed(self) -> bool:
        right = sign(self.headers["webhook-id"], self.headers["webhook-timestamp"], self.body)
        return right in self.headers["webhook-signature"].split(" ")


class VendorServer:
    """``answers``: the statuses of the next questions, 202 when there are none left."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: list[int] = []
        self.pool = urllib3.PoolManager(retries=False)
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status = vendor.answers.pop(0) if vendor.answers else 202
                vendor.asked.append(Asked(dict(self.headers.items()), body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self.server = LoopbackServer(Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/screenings"

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.stop()
        self.pool.clear()
        POOL.clear()  # the product keeps its connections to those who are gone now

    def question(self, number: int = 1) -> Asked:
        """A question by its number, once it has come."""
        eventually(lambda: len(self.asked) >= number, what=f"question {number} of the vendor")
        return self.asked[number - 1]

    def say(self, asked: Asked, said: dict[str, Any], **signing: Any) -> int:
        """POST to the address that the question named; the status of the answer."""
        body = json.dumps(said).encode()
        response = self.pool.request(
            "POST",
            asked.said["callback_url"],
            body=body,
            headers={
                "Content-Type": "application/json",
                **headers(body, **{"key": KEY, **signing}),
            },
        )
        return int(response.status)
