"""Uploads that are accepted and stored unchanged: POST /applications/{reference}/documents/."""

import hashlib
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from applications.file_types import FILE_TYPES
from applications.models import ApplicationEvent, Document, LoanApplication, StoredUpload
from applications.services import documents
from audit.models import AuditEntry
from partners.models import Partner
from tests.applications import files
from tests.applications.api.documents.sending import (
    KINDS,
    SENT,
    body,
    post,
    send,
    stored,
)
from tests.partners.api import contract
from tests.partners.api.calls import Caller, path


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


AFTER_THE_LAST_BOUNDARY = {
    "nothing": b"",
    "a line end": b"\r\n",
    "blanks": b" \t \r\n",
    "blank lines": b"\r\n\r\n \r\n",
    "an epilogue": b"\r\nThis is the epilogue. It is also to be ignored.\r\n",
    "a long epilogue": b"\r\n" + b"epilogue " * 5_000,
    "what looks like a part": b"\r\n" + body(("kind", "other"), ("file", ("x", "", b"x"))),
}


@pytest.mark.parametrize("more", AFTER_THE_LAST_BOUNDARY)
@pytest.mark.parametrize("before", [b"", b"\r\n", b"This is the preamble.\r\n"])
def test_what_surrounds_the_parts_is_ignored(
    api: Caller, case: LoanApplication, before: bytes, more: str
) -> None:
    whole = body(("kind", "bank_statement"), ("file", SENT)).removesuffix(b"\r\n")

    response = post(api, case.reference, before + whole + AFTER_THE_LAST_BOUNDARY[more])

    assert response.status_code == 201
    row = Document.objects.get()
    assert (row.kind, row.original_name) == ("bank_statement", "slip.pdf")
    assert row.sha256 == hashlib.sha256(files.PDF).hexdigest()


NAMES = {
    "UTF-8": 'filename="café.pdf"'.encode(),
    "Latin-1": 'filename="café.pdf"'.encode("latin-1"),
    "RFC 5987": b"filename*=UTF-8''caf%C3%A9.pdf",
    "RFC 5987 in Latin-1": b"filename*=iso-8859-1'en'caf%E9.pdf",
    "RFC 5987 beside ASCII": b"filename=\"cafe.pdf\"; filename*=UTF-8''caf%C3%A9.pdf",
    "RFC 5987 before ASCII": b"filename*=UTF-8''caf%C3%A9.pdf; filename=\"cafe.pdf\"",
}


@pytest.mark.parametrize("how", NAMES)
def test_name_of_a_file_is_read_however_it_is_encoded(
    api: Caller, case: LoanApplication, how: str
) -> None:
    raw = body(("kind", "other"), ("file", SENT))
    raw = raw.replace(b'filename="slip.pdf"', NAMES[how])

    response = post(api, case.reference, raw)

    assert response.status_code == 201, response.content
    assert response.json()["name"] == "café.pdf"


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
