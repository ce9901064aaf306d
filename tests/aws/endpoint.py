"""Serve moto: record every request, and check signed links as S3 does.

moto takes any link that looks signed. S3 takes one whose signature is right, until its time
is over; the endpoint's clock can be set forward.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, quote

from moto.server import DomainDispatcherApplication, create_backend_app

CONTROL = "/_wire/"
SECRET_ACCESS_KEY = "test"
SIGNED_AT = "%Y%m%dT%H%M%SZ"

type Environ = dict[str, Any]
type Start = Callable[[str, list[tuple[str, str]]], Any]


class Endpoint:
    """A WSGI application."""

    def __init__(self) -> None:
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.lock = Lock()
        self.requests: list[dict[str, Any]] = []
        self.ahead = timedelta()

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(CONTROL):
            return self._control(environ["PATH_INFO"].removeprefix(CONTROL), environ, start)
        with self.lock:
            self.requests.append(
                {
                    "method": environ["REQUEST_METHOD"],
                    "path": environ["PATH_INFO"],
                    "target": environ.get("HTTP_X_AMZ_TARGET", ""),
                    "headers": {
                        name.removeprefix("HTTP_").replace("_", "-").lower(): value
                        for name, value in environ.items()
                        if name.startswith("HTTP_") or name == "CONTENT_TYPE"
                    },
                }
            )
        why = why_refused(environ, now=datetime.now(UTC) + self.ahead)
        if why:
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [f"<Error><Code>AccessDenied</Code><Message>{why}</Message></Error>".encode()]
        answer: Iterable[bytes] = self.moto(environ, start)
        return answer

    def _control(self, what: str, environ: Environ, start: Start) -> Iterable[bytes]:
        told = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        with self.lock:
            if what == "ahead":
                self.ahead = timedelta(seconds=told)
            elif what == "reset":
                self.requests, self.ahead = [], timedelta()
            said = json.dumps(self.requests).encode()
        start("200 OK", [("Content-Type", "application/json")])
        return [said]


def why_refused(environ: Environ, *, now: datetime) -> str:
    """Return S3's error for this link; None if it is valid or not a signed link."""
    uri = environ.get("REQUEST_URI") or environ["RAW_URI"]
    path, _, line = uri.partition("?")
    query = dict(parse_qsl(line, keep_blank_values=True))
    given = query.pop("X-Amz-Signature", None)
    if given is None:
        return "" if "Signature" not in query else "links are signed by version 4"
    began = datetime.strptime(query["X-Amz-Date"], SIGNED_AT).replace(tzinfo=UTC)
    if now > began + timedelta(seconds=int(query["X-Amz-Expires"])):
        return "Request has expired"
    right = _signature(environ["REQUEST_METHOD"], path, query, environ)
    return "" if hmac.compare_digest(given, right) else "SignatureDoesNotMatch"


def _signature(method: str, path: str, query: dict[str, str], environ: Environ) -> str:
    """Version 4, as the documentation of S3 describes it for a link."""
    names = query["X-Amz-SignedHeaders"].split(";")
    values = {name: environ[f"HTTP_{name.upper().replace('-', '_')}"] for name in names}
    canonical = "\n".join(
        [
            method,
            path,
            "&".join(
                f"{quote(k, safe='-_.~')}={quote(query[k], safe='-_.~')}" for k in sorted(query)
            ),
            *(f"{name}:{values[name]}" for name in names),
            "",
            query["X-Amz-SignedHeaders"],
            "UNSIGNED-PAYLOAD",
        ]
    )
    _, *scope = query["X-Amz-Credential"].split("/")
    said = "\n".join(
        [
            query["X-Amz-Algorithm"],
            query["X-Amz-Date"],
            "/".join(scope),
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    key = f"AWS4{SECRET_ACCESS_KEY}".encode()
    for part in (*scope, said):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")
