"""Uploads that are refused: by field, or whole, and nothing of them stays."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.core.handlers.wsgi import WSGIRequest
from pytest_django import DjangoDbBlocker

from applications.models import (
    Document,
    LoanApplication,
)
from applications.services import documents
from partners.models import Partner
from partners.services import keys
from tests import casework
from tests.applications import files
from tests.applications.api.documents.sending import (
    BOUNDARY,
    FINE,
    MULTIPART,
    SENT,
    Part,
    body,
    post,
    send,
)
from tests.partners.api import contract
from tests.partners.api.calls import Caller, assert_problem, path


@pytest.fixture(scope="module")
def office_rows(module_rows: None, django_db_blocker: DjangoDbBlocker) -> tuple[int, str, int]:
    """A partner, a key of every scope and a case that waits for a manager, once for a module."""
    with django_db_blocker.unblock():
        partner = Partner.objects.create(name="Maple Brokers")
        case = casework.waiting_for_manager(None, partner=partner)
        return partner.pk, keys.partner_key_issue(partner=partner)[1], case.pk


@pytest.fixture
def partner(db: None, office_rows: tuple[int, str, int]) -> Partner:
    return Partner.objects.get(pk=office_rows[0])


@pytest.fixture
def partner_key(partner: Partner, office_rows: tuple[int, str, int]) -> str:
    return office_rows[1]


@pytest.fixture
def case(partner: Partner, office_rows: tuple[int, str, int]) -> LoanApplication:
    """The partner's case, which waits for a manager."""
    return LoanApplication.objects.get(pk=office_rows[2])


@pytest.mark.parametrize("what", files.NOT_OURS)
@pytest.mark.parametrize("declared", ["application/pdf", "image/png", "application/octet-stream"])
def test_file_that_is_not_what_it_is_called_is_refused(
    api: Caller,
    case: LoanApplication,
    nothing_kept: Callable[[], None],
    what: str,
    declared: str,
) -> None:
    response = send(api, case, ("slip.pdf", declared, files.NOT_OURS[what]))

    problem = assert_problem(response, 400, "invalid-document")
    assert problem["errors"] == {"file": [documents.WRONG_TYPE]}
    nothing_kept()


@pytest.mark.parametrize(
    "sent",
    [
        ("slip.exe", "application/pdf", files.PDF),
        ("slip.pdf.exe", "application/pdf", files.PDF),
        ("slip.\N{RIGHT-TO-LEFT OVERRIDE}exe", "application/pdf", files.PDF),
        ("slip.png", "image/png", files.PDF),
        ("slip.pdf", "text/html", files.PDF),
        ("card.jpg", "image/png", files.JPEG),
    ],
)
def test_name_or_declared_type_that_says_otherwise_is_refused(
    api: Caller,
    case: LoanApplication,
    nothing_kept: Callable[[], None],
    sent: tuple[str, str, bytes],
) -> None:
    problem = assert_problem(send(api, case, sent), 400, "invalid-document")

    assert list(problem["errors"]) == ["file"]
    nothing_kept()


def test_empty_file_is_refused(
    api: Caller, case: LoanApplication, nothing_kept: Callable[[], None]
) -> None:
    problem = assert_problem(
        send(api, case, ("slip.pdf", "application/pdf", b"")), 400, "invalid-document"
    )
    assert problem["errors"] == {"file": ["The file is empty."]}
    nothing_kept()


REQUIRED = "This field is required."
SHAPES: dict[str, tuple[tuple[Part, ...], dict[str, str]]] = {
    "nothing": ((), {"kind": REQUIRED, "file": "No file was submitted."}),
    "no kind": ((("file", SENT),), {"kind": REQUIRED}),
    "no file": ((("kind", "other"),), {"file": "No file was submitted."}),
    "empty kind": ((("kind", ""), ("file", SENT)), {"kind": documents.NOT_A_KIND}),
    "unknown kind": ((("kind", "selfie"), ("file", SENT)), {"kind": documents.NOT_A_KIND}),
    "a letter": ((("kind", "offer_letter"), ("file", SENT)), {"kind": documents.NOT_A_KIND}),
    "kind with a null": ((("kind", "other\0"), ("file", SENT)), {"kind": documents.NOT_A_KIND}),
    "kind not in UTF-8": ((("kind", b"\xff"), ("file", SENT)), {"kind": documents.NOT_A_KIND}),
    "kind twice": ((("kind", "other"), ("kind", "other"), ("file", SENT)), {"kind": "once"}),
    "kind as a file": ((("kind", SENT), ("file", SENT)), {"kind": "as text"}),
    "file as a text": ((("kind", "other"), ("file", "%PDF-1.7")), {"file": "as a file"}),
    "file without a name": (
        (("kind", "other"), ("file", ("", "application/pdf", files.PDF))),
        {"file": "as a file"},
    ),
    "file of no name but dots": (
        (("kind", "other"), ("file", ("..", "application/pdf", files.PDF))),
        {"file": "No file was submitted."},
    ),
    "file as both": ((("kind", "other"), ("file", "x"), ("file", SENT)), {"file": "once"}),
    "two files": ((("kind", "other"), ("file", SENT), ("file", SENT)), {"file": "one file"}),
    "file under another name": ((("kind", "other"), ("document", SENT)), {"document": "no such"}),
    "another file besides": (
        (("kind", "other"), ("file", SENT), ("file2", SENT)),
        {"file2": "no such"},
    ),
    "unknown field": (
        (("kind", "other"), ("file", SENT), ("description", "x")),
        {"description": "no such"},
    ),
    "unknown field with a null": (
        (("kind", "other"), ("file", SENT), ("a\0b", "x")),
        {"a\N{REPLACEMENT CHARACTER}b": "no such"},
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_upload_of_another_shape_is_refused_by_field(
    api: Caller, case: LoanApplication, nothing_kept: Callable[[], None], shape: str
) -> None:
    parts, errors = SHAPES[shape]
    problem = assert_problem(post(api, case.reference, body(*parts)), 400, "invalid-request")

    assert set(problem["errors"]) == set(errors)
    for name, sentence in errors.items():
        assert sentence in problem["errors"][name][0]
    nothing_kept()


# --- Refused whole --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        (FINE, MULTIPART),
        (FINE, f"{MULTIPART}; boundary="),
        (FINE, f"{MULTIPART}; boundary={'x' * 205}"),
        (FINE, f"{MULTIPART}; boundary=another"),
        (FINE, f"{MULTIPART}; boundary=é"),
        (b"", f"{MULTIPART}; boundary={BOUNDARY}"),
        (b"not multipart at all", f"{MULTIPART}; boundary={BOUNDARY}"),
        (b'{"kind": "other"}', f"{MULTIPART}; boundary={BOUNDARY}"),
        (FINE.removesuffix(b"\r\n") + b"and more", f"{MULTIPART}; boundary={BOUNDARY}"),
        (FINE.removesuffix(b"--\r\n") + b" --\r\n", f"{MULTIPART}; boundary={BOUNDARY}"),
        (FINE.replace(b"pdf\r\n\r\n", b"pdf\r\nX: " + b"x" * 2000 + b"\r\n\r\n"), ""),
        (
            FINE.replace(b"pdf\r\n\r\n", b"pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
            f"{MULTIPART}; boundary={BOUNDARY}",
        ),
        *((FINE[:end], "") for end in (1, 40, 90, 200, len(FINE) - 30, len(FINE) - 4)),
    ],
)
def test_body_that_is_not_whole_or_not_multipart_is_refused(
    api: Caller,
    case: LoanApplication,
    nothing_kept: Callable[[], None],
    raw: bytes,
    content_type: str,
) -> None:
    response = post(
        api,
        case.reference,
        raw,
        content_type=content_type or f"{MULTIPART}; boundary={BOUNDARY}",
    )

    assert_problem(response, 400, "malformed-multipart")
    nothing_kept()


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/mixed"],
)
def test_upload_of_another_media_type_is_unsupported(
    api: Caller, case: LoanApplication, nothing_kept: Callable[[], None], content_type: str
) -> None:
    response = post(api, case.reference, b'{"kind": "other"}', content_type=content_type)

    assert_problem(response, 415, "unsupported-media-type")
    nothing_kept()


@pytest.mark.parametrize("more", ["withdraw/", "offer/accept/", "offer/decline/"])
def test_multipart_is_read_nowhere_else(api: Caller, case: LoanApplication, more: str) -> None:
    response = api.call(
        "POST",
        path(case.reference, more),
        data=FINE,
        content_type=f"{MULTIPART}; boundary={BOUNDARY}",
    )
    assert_problem(response, 415, "unsupported-media-type")


class Stream(io.BytesIO):
    """Body of a request; counts the bytes that were read, and can end early."""

    def __init__(self, content: bytes, *, breaks: bool = False) -> None:
        super().__init__(content)
        self.given = 0
        self.largest = 0
        self.breaks = breaks

    def read(self, size: int | None = -1, /) -> bytes:
        part = super().read(size)
        self.given += len(part)
        self.largest = max(self.largest, len(part))
        if self.breaks and not part:
            raise ConnectionResetError("the client hung up")
        return part


def stream_to(api: Caller, case: LoanApplication, stream: Stream, *, length: int) -> Any:
    """A POST whose body is read from ``stream``, declared to be so long."""
    address = path(case.reference, "documents/")
    response = api.client.post(
        address,
        headers={**api.headers},
        **{
            "CONTENT_TYPE": f"{MULTIPART}; boundary={BOUNDARY}",
            "CONTENT_LENGTH": str(length),
            "wsgi.input": stream,
        },
    )
    contract.check("POST", address, response)
    return response


def test_body_that_is_declared_too_large_is_refused_before_a_byte_is_read(
    api: Caller, case: LoanApplication, nothing_kept: Callable[[], None]
) -> None:
    stream = Stream(FINE)
    response = stream_to(api, case, stream, length=4_500_000 + 64 * 1024 + 1)

    problem = assert_problem(response, 413, "body-too-large")
    assert problem["detail"] == "The file is larger than 4.5 MB."
    assert stream.given == 0
    nothing_kept()


def test_file_that_is_too_large_is_refused_while_it_is_read(
    api: Caller, case: LoanApplication, settings: Any, nothing_kept: Callable[[], None]
) -> None:
    settings.LOANOFFICE_DOCUMENT_BYTES = 100_000
    raw = body(("kind", "other"), ("file", ("x.png", "image/png", files.png(160_000))))
    stream = Stream(raw)
    response = stream_to(api, case, stream, length=len(raw))

    assert_problem(response, 413, "body-too-large")
    assert stream.given < len(raw)
    nothing_kept()


def test_text_of_more_than_a_megabyte_is_refused(
    api: Caller, case: LoanApplication, nothing_kept: Callable[[], None]
) -> None:
    response = post(api, case.reference, body(("kind", "x" * 1_100_000), ("file", SENT)))

    assert_problem(response, 413, "body-too-large")
    nothing_kept()


def test_too_many_fields_are_refused(
    api: Caller, case: LoanApplication, nothing_kept: Callable[[], None]
) -> None:
    response = post(api, case.reference, body(*((f"f{n}", "x") for n in range(1100))))

    assert_problem(response, 400, "invalid-request")
    nothing_kept()


def test_file_is_read_in_small_pieces_into_a_temporary_file(
    api: Caller, case: LoanApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = body(("kind", "other"), ("file", ("x.png", "image/png", files.png(4_000_000))))
    stream = Stream(raw)
    written: list[int] = []
    receive = TemporaryFileUploadHandler.receive_data_chunk

    def note(self: Any, raw_data: bytes, start: int) -> None:
        written.append(len(raw_data))
        receive(self, raw_data, start)

    monkeypatch.setattr(TemporaryFileUploadHandler, "receive_data_chunk", note)
    held: list[bool] = []
    add = documents.document_add

    def look(**how: Any) -> Document:
        held.append(hasattr(requests[-1], "_body"))
        return add(**how)

    requests: list[WSGIRequest] = []
    start = WSGIRequest.__init__

    def begin(self: WSGIRequest, environ: Any) -> None:
        start(self, environ)
        requests.append(self)

    monkeypatch.setattr(WSGIRequest, "__init__", begin)
    monkeypatch.setattr(documents, "document_add", look)

    assert stream_to(api, case, stream, length=len(raw)).status_code == 201
    assert stream.largest <= 64 * 1024
    assert len(written) > 50
    assert held == [False]


@pytest.mark.parametrize("end", [10, 150, 100_000, 290_000])
def test_client_that_hangs_up_leaves_nothing(
    api: Caller, case: LoanApplication, nothing_kept: Callable[[], None], end: int
) -> None:
    raw = body(("kind", "other"), ("file", ("x.png", "image/png", files.png(300_000))))
    response = stream_to(api, case, Stream(raw[:end], breaks=True), length=len(raw))

    assert_problem(response, 400, "malformed-multipart")
    nothing_kept()
