"""Serve moto as the stand-in for AWS: record every request, inject faults."""

import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode

from moto.server import DomainDispatcherApplication, create_backend_app

from tests.deploy.aws import operations
from tests.deploy.aws.book import Book, Fault, Request
from tests.deploy.aws.functions import Answer, Call, Functions

CONTROL = "/_stand_in/"
SHOWN = 2_000  # characters of a body that is not JSON
ASKING = ("Get", "List", "Describe", "Head", "Invoke")
SPEAKING_XML = {"cloudformation", "iam", "sts"}
REMEMBERED = 5_000_000  # bytes; nobody comes back to what was made from more

type Environ = dict[str, Any]
type Start = Callable[[str, list[tuple[str, str]]], Any]


class Endpoint:
    """A WSGI application."""

    def __init__(self, folder: Path) -> None:
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.folder = folder
        self.url = ""
        self.kept: dict[str, list[tuple[Environ, bytes]]] = {}
        self._forget_everything()

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        path = environ["PATH_INFO"]
        if path.startswith(CONTROL):
            return self._control(path.removeprefix(CONTROL), environ, body, start)
        return self._serve(environ, body, start)

    def _serve(self, environ: Environ, body: bytes, start: Start) -> Iterable[bytes]:
        service = operations.service_of(environ.get("HTTP_AUTHORIZATION", ""))
        if not service:
            self.book.outside.append(environ.get("REQUEST_URI", environ["PATH_INFO"]))
            return _say(start, 403, {"message": "not for AWS"})
        request = self._request(service, environ, body)
        if (fault := self.book.fault(request)) is not None:
            request.status, request.error = fault.status, f"{fault.error} (injected)"
            self.book.written(request)
            return _refuse(start, service, fault)
        if not request.operation.startswith(ASKING) and len(body) < REMEMBERED:
            self.changes.append((environ, body))
        if service == "lambda":
            status, told = self._lambda(request, environ, body)
            request.status, request.error = status, told.get("__type", "")
            self.book.written(request)
            return _answer_lambda(start, request, status, told)
        status_line, headers, content = self._moto(environ, body)
        request.status = int(status_line.split()[0])
        self.book.written(request)
        start(status_line, headers)
        return [content]

    def _forget_everything(self) -> None:
        self.book = Book()
        self.functions = Functions(self.book, self._ask_moto, self.folder)
        self.changes: list[tuple[Environ, bytes]] = []

    def _come_back_to(self, name: str) -> None:
        """Make everything again as it was kept, by the very same requests."""
        for environ, body in self.kept[name]:
            for _ in self._serve(environ, body, lambda *_: None):
                pass
        self.book.told({"forget_requests": True})

    def _request(self, service: str, environ: Environ, body: bytes) -> Request:
        path = environ["PATH_INFO"]
        operation, subject = operations.named(
            service,
            environ["REQUEST_METHOD"],
            # The raw path tells a slash between parts from one inside a part.
            unquote(_raw_path(environ)) if service == "lambda" else path,
            environ.get("HTTP_X_AMZ_TARGET", ""),
            body,
        )
        query = {key: values[0] for key, values in _query(environ).items()}
        return Request(service, operation, subject, query, _shown(body))

    def _lambda(self, request: Request, environ: Environ, body: bytes) -> Answer:
        query: dict[str, Any] = dict(request.query)
        if statuses := _query(environ).get("Statuses"):
            query["Statuses"] = statuses
        call = Call(
            operation=request.operation,
            name=request.subject,
            method=environ["REQUEST_METHOD"],
            path=unquote(_raw_path(environ)),
            query=query,
            body=json.loads(body) if body else None,
            environ=environ,
        )
        return self.functions.answer(call, url=self.url)

    def _ask_moto(self, call: Call) -> Answer:
        line = urlencode(call.query, doseq=True)
        inner = {
            **call.environ,
            "REQUEST_METHOD": call.method,
            "PATH_INFO": call.path,
            "QUERY_STRING": line,
            "RAW_URI": f"{call.path}?{line}",
            "REQUEST_URI": f"{call.path}?{line}",
        }
        content = b"" if call.body is None else json.dumps(call.body).encode()
        status, headers, answer = self._moto(inner, content)
        told = json.loads(answer) if answer else {}
        if not status.startswith("2"):
            kind = {name.lower(): value for name, value in headers}
            told.setdefault("__type", kind.get("x-amzn-errortype", ""))
        return int(status.split()[0]), told

    def _moto(self, environ: Environ, body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        said: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            said[:] = [status, headers]

        inner = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        content = b"".join(self.moto(inner, start))
        return said[0], said[1], content

    def _control(self, what: str, environ: Environ, body: bytes, start: Start) -> Iterable[bytes]:
        if what.startswith("code/") and not self.book.code_is_lost:
            _, name, version = what.split("/")
            start("200 OK", [("Content-Type", "application/zip")])
            return [self.functions.package_of(name, version)]
        if what == "reset":
            self._forget_everything()
            inner = {**environ, "PATH_INFO": "/moto-api/reset", "REQUEST_URI": "/moto-api/reset"}
            self._moto(inner, b"")
            if name := json.loads(body).get("come_back_to"):
                self._come_back_to(name)
        elif what == "keep":
            self.kept[json.loads(body)["name"]] = list(self.changes)
        elif what == "tell":
            self.book.told(json.loads(body))
        else:
            return _say(start, 404, {"message": "not there"})
        return _say(start, 200, self.book.read())


def _raw_path(environ: Environ) -> str:
    return str(environ.get("REQUEST_URI") or environ["PATH_INFO"]).partition("?")[0]


def _query(environ: Environ) -> dict[str, list[str]]:
    return parse_qs(environ.get("QUERY_STRING", ""))


def _shown(body: bytes) -> Any:
    """A body to look at: JSON without the bytes of packages."""
    try:
        told = json.loads(body or b"null")
    except ValueError:
        return body[:SHOWN].decode(errors="replace")
    for part in (told, told.get("Code")) if isinstance(told, dict) else ():
        if isinstance(part, dict) and "ZipFile" in part:
            part["ZipFile"] = f"<{len(part['ZipFile'])} characters>"
    return told


def _answer_lambda(
    start: Start, request: Request, status: int, told: dict[str, Any]
) -> Iterable[bytes]:
    headers = []
    if request.operation == "Invoke" and told.pop("failed", False):
        headers.append(("X-Amz-Function-Error", "Unhandled"))
    return _say(start, status, told, headers)


def _refuse(start: Start, service: str, fault: Fault) -> Iterable[bytes]:
    if service in SPEAKING_XML:
        told = f"<Error><Code>{fault.error}</Code><Message>{fault.message}</Message></Error>"
        start(f"{fault.status} -", [("Content-Type", "text/xml")])
        return [f"<ErrorResponse>{told}</ErrorResponse>".encode()]
    refusal = {"__type": fault.error, "Type": "User", "message": fault.message}
    return _say(start, fault.status, refusal)


def _say(
    start: Start, status: int, told: dict[str, Any], headers: list[tuple[str, str]] | None = None
) -> Iterable[bytes]:
    content = b"" if status == 204 else json.dumps(told).encode()
    kind = [("x-amzn-ErrorType", told["__type"])] if told.get("__type") else []
    length = ("Content-Length", str(len(content)))
    start(f"{status} -", [("Content-Type", "application/json"), length, *kind, *(headers or [])])
    return [content]
