"""POST and GET /applications/{reference}/documents/, and the links that the list gives."""

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.core.handlers.wsgi import WSGIRequest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from applications.file_types import FILE_TYPES
from applications.models import (
    ApplicationEvent,
    Document,
    LoanApplication,
    Partner,
    StoredUpload,
)
from applications.services import documents, drafting
from audit.models import AuditEntry
from tests import casework
from tests.applications import files
from tests.applications.api import contract
from tests.applications.api.calls import Caller, assert_problem, path
from tests.hard_cases.stored import everything_stored

BOUNDARY = "a-boundary"
KINDS = ["proof_of_identity", "proof_of_income", "bank_statement", "other"]
SENT = ("slip.pdf", "application/pdf", files.PDF)
type Part = tuple[str, tuple[str, str, bytes] | str | bytes]


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    """Where this test's files are stored, and nothing else."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "temporary"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()
    return tmp_path / "media"


@pytest.fixture(autouse=True)
def _no_temporary_file_stays(media: Path) -> Iterator[None]:
    yield
    assert not list((media.parent / "temporary").iterdir())


@pytest.fixture
def case(partner: Partner) -> LoanApplication:
    """The partner's case, which waits for a manager."""
    return casework.waiting_for_manager(None, partner=partner)


def body(*parts: Part, boundary: str = BOUNDARY) -> bytes:
    """A multipart body: a text, or name, type and content of a file."""
    pieces = []
    for name, value in parts:
        if isinstance(value, tuple):
            file_name, media_type, content = value
            head = f'Content-Disposition: form-data; name="{name}"; filename="{file_name}"'
            head += f"\r\nContent-Type: {media_type}" if media_type else ""
        else:
            head = f'Content-Disposition: form-data; name="{name}"'
            content = value if isinstance(value, bytes) else value.encode()
        pieces.append(f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + b"\r\n")
    return b"".join(pieces) + f"--{boundary}--\r\n".encode()


def post(
    api: Caller,
    reference: str,
    raw: bytes,
    *,
    content_type: str = f"multipart/form-data; boundary={BOUNDARY}",
    **headers: str,
) -> Any:
    return api.call(
        "POST",
        path(reference, "documents/"),
        data=raw,
        content_type=content_type,
        headers=headers,
    )


def send(
    api: Caller,
    case: LoanApplication,
    sent: tuple[str, str, bytes] = SENT,
    *,
    kind: str = "proof_of_income",
    boundary: str = BOUNDARY,
    **headers: str,
) -> Any:
    return post(
        api,
        case.reference,
        body(("kind", kind), ("file", sent), boundary=boundary),
        content_type=f"multipart/form-data; boundary={boundary}",
        **headers,
    )


def stored(media: Path) -> list[Path]:
    return [found for found in media.rglob("*") if found.is_file()]


@pytest.fixture
def nothing_kept(media: Path) -> Callable[[], None]:
    """Calling it asserts that neither the database nor the storage holds more than before."""
    before, then = everything_stored(), stored(media)

    def look() -> None:
        assert everything_stored() == before
        assert stored(media) == then

    return look


def listed(api: Caller, case: LoanApplication) -> list[dict[str, Any]]:
    return list(api.get(path(case.reference, "documents/")).json()["results"])


def test_document_says_what_is_enforced(settings: Any) -> None:
    found = contract.operation("post", path("LOAN-1", "documents/"))
    assert found is not None
    said = found[1]["description"]
    assert f"{settings.LOANOFFICE_DOCUMENT_BYTES:,} bytes" in said
    assert f"up to {settings.LOANOFFICE_DOCUMENTS_MOST} files" in said
    content = found[1]["requestBody"]["content"]
    assert list(content) == ["multipart/form-data"]
    media_types = [kind.media_type for kind in FILE_TYPES]
    assert content["multipart/form-data"]["encoding"] == {
        "file": {"contentType": ", ".join(media_types)}
    }
    kinds = contract.document()["components"]["schemas"]["UploadedKind"]["enum"]
    assert kinds == list(documents.UPLOADED_KINDS)


# --- Kept -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_file_of_each_kind_is_kept(
    api: Caller, case: LoanApplication, partner: Partner, media: Path, kind: str
) -> None:
    response = send(api, case, kind=kind)

    assert response.status_code == 201
    assert response["Location"] == f"http://testserver{path(case.reference, 'documents/')}"
    row = Document.objects.get()
    assert response.json() == {
        "document_id": f"{kind}-{row.key}",
        "kind": kind,
        "name": "slip.pdf",
        "content_type": "application/pdf",
        "size": len(files.PDF),
        "sha256": hashlib.sha256(files.PDF).hexdigest(),
        "created_at": row.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }
    assert (row.partner, row.uploaded_by, row.application) == (partner, None, case)
    (found,) = stored(media)
    assert found.read_bytes() == files.PDF
    assert found.relative_to(media).as_posix() == row.file.name
    assert not StoredUpload.objects.exists()


@pytest.mark.parametrize(("media_type", "file"), files.TYPES.items())
def test_file_of_each_type_is_kept_as_what_it_is(
    api: Caller, case: LoanApplication, media_type: str, file: tuple[str, bytes]
) -> None:
    name, content = file
    response = send(api, case, (name, "application/octet-stream", content))

    assert response.json()["content_type"] == media_type
    assert send(api, case, (name, media_type, content)).status_code == 201
    assert send(api, case, (name, "", content)).status_code == 201


def test_document_is_a_line_of_the_timeline_and_of_the_audit_log(
    api: Caller, case: LoanApplication, partner: Partner
) -> None:
    response = send(api, case)

    line = ApplicationEvent.objects.latest("id")
    assert line.message == "A document was added: proof of income “slip.pdf”."
    assert (line.kind, line.partner, line.actor) == ("document_added", partner, None)
    entry = AuditEntry.objects.latest("id")
    assert (entry.who, entry.is_partner) == ("Maple Brokers", True)
    assert entry.details["document"] == response.json()["document_id"]
    assert entry.details["sha256"] == response.json()["sha256"]
    events = api.get(path(case.reference, "events/")).json()["results"]
    assert events[-1]["message"] == line.message


def test_path_is_random_and_never_made_of_the_name(
    api: Caller, case: LoanApplication, media: Path
) -> None:
    for name in ("../../../etc/cron.d/x.pdf", "secret-name.PDF"):
        assert send(api, case, (name, "application/pdf", files.PDF)).status_code == 201

    rows = list(Document.objects.all())
    assert [row.original_name for row in rows] == ["x.pdf", "secret-name.pdf"]
    folder = media / "applications" / case.reference
    assert set(stored(media)) == {folder / f"proof_of_income-{row.key}.pdf" for row in rows}
    assert len({row.key for row in rows}) == 2


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("slip", "slip.pdf"),
        ("fdp.\N{RIGHT-TO-LEFT OVERRIDE}slip.pdf", "fdp.slip.pdf"),
        ("C:\\fakepath\\slip.pdf", "slip.pdf"),
        ("Zoë 🦉 سلمان.pdf", "Zoë 🦉 سلمان.pdf"),
        ("&lt;b&gt;.pdf", "_b_.pdf"),
        ("x" * 700 + ".pdf", "x" * 180 + ".pdf"),
        ("a." + "x" * 300, "a." + "x" * 178 + ".pdf"),
    ],
)
def test_name_is_cleaned(api: Caller, case: LoanApplication, name: str, kept: str) -> None:
    response = send(api, case, (name, "application/pdf", files.PDF))

    assert (response.status_code, response.json().get("name")) == (201, kept)


def test_file_of_the_largest_size_is_kept(
    api: Caller, case: LoanApplication, settings: Any
) -> None:
    content = files.png(100_000)
    settings.LOANOFFICE_DOCUMENT_BYTES = len(content)
    response = send(api, case, ("x.png", "image/png", content))

    assert (response.status_code, response.json()["size"]) == (201, len(content))


def test_file_larger_than_a_json_body_may_be_is_kept(api: Caller, case: LoanApplication) -> None:
    content = files.png(4_400_000)

    assert send(api, case, ("x.png", "image/png", content)).json()["size"] == len(content)


def test_content_in_base64_is_kept_decoded(api: Caller, case: LoanApplication) -> None:
    raw = body(("kind", "other"), ("file", ("x.pdf", "application/pdf", b"JVBERi0xLjcKJSVFT0Y=")))
    raw = raw.replace(b"pdf\r\n\r\n", b"pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n")

    assert post(api, case.reference, raw).json()["size"] == len(b"%PDF-1.7\n%%EOF")


# --- Refused by field -----------------------------------------------------------------------


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


FINE = body(("kind", "other"), ("file", SENT))
MULTIPART = "multipart/form-data"


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
        (FINE + b"and something behind it", f"{MULTIPART}; boundary={BOUNDARY}"),
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
    """What a request's bytes come from; knows how many were asked for, and may break off."""

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
        **{  # type: ignore[arg-type]
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


# --- Which case -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["funded", "declined", "withdrawn", "expired"])
def test_case_that_is_closed_takes_nothing(
    api: Caller, case: LoanApplication, media: Path, status: str
) -> None:
    LoanApplication.objects.update(status=status)
    before = everything_stored()

    assert_problem(send(api, case), 409, "wrong-state")
    assert everything_stored() == before
    assert not stored(media)


@pytest.mark.parametrize(
    "status", ["submitted", "in_review", "pending_approval", "approved", "needs_attention"]
)
def test_case_that_is_open_takes_a_document(
    api: Caller, case: LoanApplication, status: str
) -> None:
    LoanApplication.objects.update(status=status)

    assert send(api, case).status_code == 201
    assert api.get(path(case.reference)).json()["version"] == case.version


def test_case_takes_so_many_documents_and_its_letters_do_not_count(
    api: Caller, partner: Partner, settings: Any, media: Path
) -> None:
    settings.LOANOFFICE_DOCUMENTS_MOST = 2
    case = casework.offered(None, partner=partner)
    assert [send(api, case).status_code for _ in range(2)] == [201, 201]
    before, then = everything_stored(), stored(media)

    assert_problem(send(api, case), 409, "too-many-documents")
    assert everything_stored() == before
    assert stored(media) == then
    assert len(listed(api, case)) == 3


@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        (FINE, f"{MULTIPART}; boundary={BOUNDARY}"),
        (FINE, MULTIPART),
        (b"", f"{MULTIPART}; boundary={BOUNDARY}"),
        (body(("selfie", "x")), f"{MULTIPART}; boundary={BOUNDARY}"),
        (b"x" * 5_000_000, f"{MULTIPART}; boundary={BOUNDARY}"),
    ],
)
def test_another_partners_case_is_not_there_whatever_is_sent(
    other_api: Caller,
    case: LoanApplication,
    nothing_kept: Callable[[], None],
    raw: bytes,
    content_type: str,
) -> None:
    said = [
        assert_problem(post(other_api, reference, raw, content_type=content_type), 404, "not-found")
        for reference in (case.reference, "LOAN-NOTTHERE")
    ]

    assert said[0]["detail"] == said[1]["detail"]
    nothing_kept()


def test_key_without_the_scope_may_not_send(
    api_with: Callable[..., Caller], case: LoanApplication, media: Path
) -> None:
    api = api_with("applications:read", "applications:write", "offers:write")
    before = everything_stored()

    assert_problem(send(api, case), 403, "missing-scope")
    assert everything_stored() == before
    assert not stored(media)


def test_stranger_may_not_send(anonymous: Caller, case: LoanApplication) -> None:
    assert_problem(send(anonymous, case), 401, "not-authenticated")


def test_staff_send_by_the_back_office(
    as_staff: Callable[[User], Caller], case: LoanApplication, officer: User
) -> None:
    assert_problem(send(as_staff(officer), case), 403, "not-permitted")


# --- Once -----------------------------------------------------------------------------------

KEY = {"Idempotency-Key": "slip-1"}


def test_same_file_under_the_same_key_is_one_document_whatever_the_boundary(
    api: Caller, case: LoanApplication, media: Path
) -> None:
    first = send(api, case, **KEY)
    second = send(api, case, boundary="quite-another", **KEY)

    assert (first.status_code, second.status_code) == (201, 201)
    assert second["Idempotent-Replayed"] == "true"
    assert second.content == first.content
    assert second["Location"] == first["Location"]
    assert Document.objects.count() == len(stored(media)) == 1
    assert not StoredUpload.objects.exists()


def test_retry_after_the_case_has_closed_is_still_answered_as_the_first_time(
    api: Caller, case: LoanApplication, partner: Partner, media: Path
) -> None:
    first = send(api, case, **KEY)
    drafting.application_withdraw(reference=case.reference, partner=partner)

    assert send(api, case, **KEY).content == first.content
    assert len(stored(media)) == 1


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (SENT, "other"),
        (("other.pdf", SENT[1], SENT[2]), "proof_of_income"),
        ((SENT[0], SENT[1], files.PDF + b"%%EOF\n"), "proof_of_income"),
    ],
)
def test_another_kind_name_or_content_under_the_same_key_is_refused(
    api: Caller, case: LoanApplication, media: Path, sent: tuple[str, str, bytes], kind: str
) -> None:
    send(api, case, **KEY)

    assert_problem(send(api, case, sent, kind=kind, **KEY), 422, "idempotency-key-reused")
    assert Document.objects.count() == len(stored(media)) == 1
    assert not StoredUpload.objects.exists()


def test_refused_upload_can_be_mended_under_the_same_key(
    api: Caller, case: LoanApplication
) -> None:
    assert send(api, case, ("slip.pdf", "application/pdf", b""), **KEY).status_code == 400
    assert send(api, case, **KEY).status_code == 201


def test_same_file_without_a_key_is_another_document(api: Caller, case: LoanApplication) -> None:
    assert send(api, case).json()["document_id"] != send(api, case).json()["document_id"]
    assert Document.objects.count() == 2


# --- What fails in the middle ---------------------------------------------------------------


def test_file_does_not_stay_when_the_transaction_fails(
    api: Caller,
    case: LoanApplication,
    nothing_kept: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    media: Path,
) -> None:
    seen: list[int] = []

    def fails(**_: Any) -> None:
        seen.append(len(stored(media)))
        raise RuntimeError("the disk of the database is full")

    monkeypatch.setattr(documents, "event_record", fails)

    assert_problem(send(api, case), 500, "internal-error")
    assert seen == [1]
    nothing_kept()


def test_upload_that_storage_refuses_leaves_nothing(
    api: Caller,
    case: LoanApplication,
    nothing_kept: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: Any, **__: Any) -> str:
        raise OSError("no space left")

    monkeypatch.setattr(FileSystemStorage, "save", fails)

    assert_problem(send(api, case), 500, "internal-error")
    nothing_kept()


# --- The list -------------------------------------------------------------------------------


def test_list_has_the_partners_files_and_our_letters_oldest_first(
    api: Caller, partner: Partner
) -> None:
    case = casework.offered(None, partner=partner)
    sent = send(api, case).json()

    letter, mine = listed(api, case)

    assert (letter["kind"], letter["content_type"]) == ("offer_letter", "application/pdf")
    assert {name: mine[name] for name in sent} == sent


def test_list_comes_in_pages(api: Caller, case: LoanApplication) -> None:
    sent = [send(api, case).json()["document_id"] for _ in range(3)]
    found, address = [], path(case.reference, "documents/")
    query: dict[str, Any] | None = {"page_size": 2}
    while address:
        page = api.get(address, query).json()
        found += [row["document_id"] for row in page["results"]]
        address, query = page["next"], None

    assert found == sent


@pytest.mark.parametrize(
    "query", [{"page_size": "0"}, {"cursor": "x"}, {"kind": "other"}, {"page_size": ["1", "2"]}]
)
def test_query_that_is_not_the_lists_is_refused(
    api: Caller, case: LoanApplication, query: dict[str, Any]
) -> None:
    response = api.get(path(case.reference, "documents/"), query)

    assert list(assert_problem(response, 400, "invalid-request")["errors"]) == list(query)


def test_list_of_a_case_without_documents_is_empty(api: Caller, case: LoanApplication) -> None:
    assert listed(api, case) == []


def test_list_is_not_stored_anywhere(api: Caller, case: LoanApplication) -> None:
    response = api.get(path(case.reference, "documents/"))

    assert {"private", "no-store"} <= set(response["Cache-Control"].split(", "))


def test_list_answers_a_head(api: Caller, case: LoanApplication) -> None:
    response = api.call("HEAD", path(case.reference, "documents/"))

    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("reference", ["mine", "LOAN-NOTTHERE"])
def test_list_of_another_partners_case_is_not_there(
    other_api: Caller, case: LoanApplication, reference: str
) -> None:
    reference = case.reference if reference == "mine" else reference

    assert_problem(other_api.get(path(reference, "documents/")), 404, "not-found")


def test_key_without_the_scope_may_not_list(
    api_with: Callable[..., Caller], case: LoanApplication
) -> None:
    response = api_with("documents:write").get(path(case.reference, "documents/"))

    assert_problem(response, 403, "missing-scope")


def test_partner_is_not_shown_what_staff_brought(
    api: Caller, as_staff: Callable[[User], Caller], case: LoanApplication, officer: User
) -> None:
    send(api, case)
    staff_bring(case, officer)

    assert [row["name"] for row in listed(api, case)] == ["slip.pdf"]
    assert [row["name"] for row in listed(as_staff(officer), case)] == ["slip.pdf", "note.png"]
    lines = api.get(path(case.reference, "events/")).json()["results"]
    assert "note.png" not in json.dumps(lines)


def staff_bring(case: LoanApplication, officer: User) -> Document:
    upload = documents.upload_read(
        kind="other",
        name="note.png",
        declared_type="image/png",
        content=ContentFile(files.PNG),
    )
    return documents.document_upload(reference=case.reference, user=officer, upload=upload)


def test_staff_who_list_are_on_record_with_it(
    api: Caller, as_staff: Callable[[User], Caller], case: LoanApplication, auditor: User
) -> None:
    sent = send(api, case).json()["document_id"]

    assert len(listed(as_staff(auditor), case)) == 1
    entry = AuditEntry.objects.latest("id")
    assert (entry.action, entry.actor, entry.reference) == ("downloaded", auditor, case.reference)
    assert entry.details == {"documents": [sent]}


def test_staff_without_the_permission_may_not_list(
    as_staff: Callable[[User], Caller], case: LoanApplication, make_user: Callable[..., User]
) -> None:
    response = as_staff(make_user("nobody")).get(path(case.reference, "documents/"))

    assert_problem(response, 403, "not-permitted")


def test_list_costs_the_same_however_long_it_is(
    api: Caller, case: LoanApplication, django_assert_num_queries: Any
) -> None:
    send(api, case)
    with CaptureQueriesContext(connection) as captured:
        listed(api, case)
    one = len(captured)
    assert one
    for _ in range(3):
        send(api, case)
    with django_assert_num_queries(one):
        listed(api, case)


# --- The links ------------------------------------------------------------------------------


@pytest.fixture
def link(api: Caller, case: LoanApplication) -> str:
    """A link to what the partner has sent."""
    send(api, case, ("Zoë “1”.pdf", "application/pdf", files.PDF))
    return str(listed(api, case)[0]["url"])


def follow(link: str, method: str = "GET", **headers: str) -> Any:
    return Caller().call(method, link.removeprefix("http://testserver"), headers=headers)


def test_link_is_a_download_for_whoever_has_it(link: str) -> None:
    response = follow(link)

    assert response.status_code == 200
    assert b"".join(response.streaming_content) == files.PDF
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Length"] == str(len(files.PDF))
    assert response["Content-Disposition"].startswith("attachment; filename*=utf-8''Zo%C3%AB")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert {"private", "no-store"} <= set(response["Cache-Control"].split(", "))


@pytest.mark.parametrize("accept", ["application/pdf", "text/html,*/*;q=0.8", "image/png"])
def test_link_is_followed_whatever_is_accepted(link: str, accept: str) -> None:
    response = follow(link, Accept=accept)

    assert response.status_code == 200
    response.close()


def test_link_answers_a_head(link: str) -> None:
    response = follow(link, "HEAD")

    assert (response.status_code, response["Content-Length"]) == (200, str(len(files.PDF)))


def test_link_with_a_wrong_key_is_followed_all_the_same(link: str) -> None:
    response = follow(link, Authorization="Bearer nobody")

    assert response.status_code == 200
    response.close()


def test_link_says_until_when_it_is_good(api: Caller, case: LoanApplication) -> None:
    send(api, case)
    before = timezone.now()
    (found,) = listed(api, case)

    life = datetime.fromisoformat(found["url_expires_at"]) - before
    assert timedelta(minutes=5) <= life < timedelta(minutes=6)


def test_link_that_is_old_is_gone(link: str, settings: Any) -> None:
    settings.LOANOFFICE_DOCUMENT_LINK_LIFE = timedelta(seconds=-1)

    assert_problem(follow(link), 410, "link-expired")


@pytest.mark.parametrize("where", range(6))
def test_link_that_was_tampered_with_is_not_there(link: str, where: int) -> None:
    stem, _, token = link.rstrip("/").rpartition("/")
    at = where * len(token) // 6
    changed = token[:at] + ("x" if token[at] != "x" else "y") + token[at + 1 :]

    assert_problem(follow(f"{stem}/{changed}/"), 404, "not-found")


@pytest.mark.parametrize(
    "token", ["x", "~", "~~", "LOAN-1.other.1", "LOAN-1.other.1~1wXyZ~x", "a" * 201, "%00"]
)
def test_token_that_nobody_signed_is_not_there(db: None, token: str) -> None:
    response = Client().get(f"/api/v1/documents/{token}/")

    assert_problem(response, 404, "not-found")


def test_link_to_a_file_that_storage_lost_is_not_there(link: str, media: Path) -> None:
    for found in stored(media):
        found.unlink()

    assert_problem(follow(link), 404, "not-found")


def test_link_is_for_reading_only(link: str) -> None:
    assert_problem(follow(link, "POST"), 405, "method-not-allowed")
