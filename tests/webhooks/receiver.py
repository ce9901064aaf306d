"""A partner's receiver on loopback, and a verification that shares no code with the sender."""

import base64
import hashlib
import hmac
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

from devtools.loopback_server import LoopbackServer

TOLERANCE = 300  # seconds, as the specification advises


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """``answers``: (status, headers) for the next requests; empty means 204."""

    def __init__(self) -> None:
        self.answers: deque[tuple[int, dict[str, str]]] = deque()
        self.received: list[Received] = []
        self.drip: threading.Event | None = None  # set: answer byte by byte until it is
        self.before: Callable[[], object] | None = None  # called before each answer
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.received.append(Received(self.path, headers, body))
                if receiver.before is not None:
                    receiver.before()
                if receiver.drip is not None:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
                    while not receiver.drip.wait(0.05):
                        try:
                            self.wfile.write(b"x")
                        except OSError:
                            receiver.drip.set()
                    return
                status, more = receiver.answers.popleft() if receiver.answers else (204, {})
                said = b"" if status == 204 else b"no thanks"
                self.send_response(status)
                for name, value in {"Content-Length": str(len(said)), **more}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said)

        self.server = LoopbackServer(Handler)

    @property
    def url(self) -> str:
        return f"{self.server.url}/hooks?from=loans"


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.server.start()
    try:
        yield receiver
    finally:
        receiver.server.stop()


def verified(received: Received, secret: str, *, now: float) -> dict[str, Any]:
    """The body, if the signature is right by the specification's text. Raises ``ValueError``.

    "The signature scheme": base64 of HMAC-SHA256 over ``{id}.{timestamp}.{body}`` with the
    decoded secret; the header lists one or more, each with its version, apart by a space.
    """
    identifier = received.headers["webhook-id"]
    stamp = received.headers["webhook-timestamp"]
    if abs(now - int(stamp)) > TOLERANCE:
        raise ValueError("the timestamp is too far away")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join([identifier.encode(), stamp.encode(), received.body])
    right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = received.headers["webhook-signature"].split(" ")
    if not any(hmac.compare_digest(f"v1,{right}", one) for one in given):
        raise ValueError("no signature is right")
    found: dict[str, Any] = json.loads(received.body)
    return found
