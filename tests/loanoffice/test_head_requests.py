"""Answers to HEAD: the headers of the GET, and nothing after them, on a kept connection neither."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.core.files.base import ContentFile
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory
from django.urls import path
from waitress.server import create_server

from applications.models import Document, LoanApplication
from applications.services import documents
from loanoffice.head_requests import remove_body
from loanoffice.settings.base import MIDDLEWARE
from tests.applications import files
from tests.aws.production import COMPLETE, run
from tests.loanoffice.test_security_headers import ADDRESSES

pytestmark = pytest.mark.django_db

PARTS = (b"one,", b"two,", b"three")


def plain_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"".join(PARTS), headers={"Content-Length": len(b"".join(PARTS))})


def streamed_view(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter(PARTS))


urlpatterns = [path("plain/", plain_view), path("streamed/", streamed_view)]


def answer(method: str, address: str, cookies: str = "") -> tuple[str, dict[str, str], bytes]:
    """Ask the WSGI application itself; Django's test client removes bodies on its own."""
    started: list[Any] = []
    environ = RequestFactory(headers={"Cookie": cookies}).generic(method, address).environ
    body = WSGIHandler()(environ, lambda *head: started.append(head))
    try:
        content = b"".join(body)
    finally:
        getattr(body, "close", lambda: None)()
    [(status, headers)] = started
    return status, dict(headers), content


def assert_head_is_get_without_body(address: str, cookies: str = "") -> int:
    """Return the length that both name."""
    status, headers, content = answer("GET", address, cookies)
    head_status, head_headers, head_content = answer("HEAD", address, cookies)
    assert head_content == b"", (address, len(head_content))
    assert head_status == status, address
    assert head_headers.get("Content-Type") == headers.get("Content-Type"), address
    assert int(head_headers["Content-Length"]) == len(content), address
    return len(content)


@pytest.fixture(autouse=True)
def _database_stays_open() -> Iterator[None]:
    """Keep the test's connection over several requests, as Django's test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def document(submitted: LoanApplication, officer: User) -> Document:
    upload = documents.upload_read(
        kind="proof_of_income",
        name="slip.pdf",
        declared_type="application/pdf",
        content=ContentFile(files.PDF),
    )
    return files.document_upload(reference=submitted.reference, user=officer, upload=upload)


def test_no_answer_to_head_has_a_body(
    client: Client, officer: User, manager: User, document: Document
) -> None:
    page = f"/admin/applications/loanapplication/{document.application_id}/change/"
    file = f"/admin/applications/loanapplication/{document.application_id}/documents/{document.pk}/"
    total = 0
    for user in (None, officer, manager):
        if user is not None:
            client.force_login(user)
        # Django's login page redirects who is signed in for GET alone.
        addresses = [each for each in ADDRESSES if user is None or each != "/admin/login/"]
        cookies = "; ".join(f"{name}={each.value}" for name, each in client.cookies.items())
        total += sum(
            assert_head_is_get_without_body(address, cookies)
            for address in (*addresses, page, file, f"{file}preview/")
        )
    assert total > 100_000  # pages, and not their refusals alone


def test_file_of_the_web_process_has_a_length_and_no_body(settings: Any) -> None:
    name = "loanoffice/loanoffice.css"
    settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = True
    settings.MIDDLEWARE = [
        MIDDLEWARE[0],
        "whitenoise.middleware.WhiteNoiseMiddleware",
        *MIDDLEWARE[1:],
    ]
    assert finders.find(name)

    assert assert_head_is_get_without_body(f"/static/{name}") > 1000


@pytest.mark.parametrize("name", ["local", "production"])
def test_middleware_is_the_first_so_that_none_answers_outside_of_it(
    name: str, tmp_path: Path
) -> None:
    module = f"loanoffice.settings.{name}"
    code = f"import {module} as found; print(found.MIDDLEWARE[0])"

    loaded = run(module, "-c", code, **COMPLETE, LOANOFFICE_DATA=str(tmp_path))

    assert loaded.stdout.strip() == "loanoffice.head_requests.HeadMiddleware", loaded.stderr


@pytest.fixture
def connection(settings: Any) -> Iterator[socket.socket]:
    """A connection to waitress, which serves the two views above."""
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = MIDDLEWARE[:4]
    server = create_server(WSGIHandler(), host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        with socket.create_connection(("127.0.0.1", server.effective_port), timeout=30) as asked:
            yield asked
    finally:
        server.close()
        thread.join(30)


@pytest.mark.parametrize("view", ["plain", "streamed", "nowhere"])
def test_connection_stays_in_step_after_head(connection: socket.socket, view: str) -> None:
    connection.sendall(
        f"HEAD /{view}/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
        "GET /plain/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    )
    told = b""
    while part := connection.recv(65536):
        told += part

    head, get, body = told.split(b"\r\n\r\n")
    assert get.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == b"".join(PARTS)
    assert b"Transfer-Encoding" not in head
    if view != "nowhere":
        assert f"Content-Length: {len(body)}".encode() in head


def test_answer_that_never_has_a_body_gets_no_length() -> None:
    response = HttpResponse(status=204)
    remove_body(response)
    assert "Content-Length" not in response.headers
