"""Bringing a file to a case by the back office."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from applications.models import Document, LoanApplication, StoredUpload
from partners.models import Partner
from tests import casework
from tests.applications import files
from tests.applications.admin.conftest import Login, page, said
from tests.hard_cases.stored import everything_stored


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    """Return the folder that holds this test's files only."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture
def waiting(partner: Partner) -> LoanApplication:
    return casework.waiting_for_manager(None, partner=partner)


def typed(
    name: str = "slip.pdf", content: bytes = files.PDF, kind: str = "proof_of_income"
) -> dict[str, Any]:
    return {"kind": kind, "file": SimpleUploadedFile(name, content, "application/octet-stream")}


def stored(media: Path) -> list[Path]:
    return [found for found in media.rglob("*") if found.is_file()]


def test_officer_adds_a_document_and_finds_it_on_the_case(
    login: Login, officer: User, waiting: LoanApplication, media: Path
) -> None:
    client = login(officer)
    assert 'id="press-upload"' in client.get(page("change", waiting)).text
    form = client.get(page("upload", waiting)).text
    assert 'enctype="multipart/form-data"' in form
    assert "at most 4.5 MB" in form

    response = client.post(page("upload", waiting), typed())

    assert response.url == page("change", waiting)
    assert said(response) == [f"“slip.pdf” is added to {waiting.reference}."]
    row = Document.objects.get()
    assert (row.uploaded_by, row.partner, row.kind) == (officer, None, "proof_of_income")
    assert stored(media) == [media / str(row.file.name)]
    shown = client.get(page("change", waiting)).text
    assert f'id="document-{row.pk}"' in shown
    assert "by officer" in shown
    answer: Any = client.get(page("document", waiting, row.pk))
    assert b"".join(answer.streaming_content) == files.PDF


def test_partner_who_sent_a_document_is_named_on_the_case(
    login: Login, auditor: User, waiting: LoanApplication, partner: Partner, partner_key: str
) -> None:
    api = Client(headers={"Authorization": f"Bearer {partner_key}"})
    sent = api.post(f"/api/v1/applications/{waiting.reference}/documents/", typed())
    assert sent.status_code == 201

    assert "by Maple Brokers" in login(auditor).get(page("change", waiting)).text


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("slip.pdf", files.HTML, "Send a PDF, a PNG or a JPEG"),
        ("slip.exe", files.PDF, "The name ends in .exe"),
        ("slip.pdf", b"", "The file is empty."),
    ],
)
def test_file_that_is_not_good_is_refused_beside_its_field(
    login: Login,
    officer: User,
    waiting: LoanApplication,
    media: Path,
    name: str,
    content: bytes,
    sentence: str,
) -> None:
    client = login(officer)
    before = everything_stored()

    response = client.post(page("upload", waiting), typed(name, content))

    assert response.status_code == 200
    assert sentence in response.text
    assert everything_stored() == before
    assert not stored(media)


@pytest.mark.parametrize("kind", ["", "offer_letter", "selfie"])
def test_kind_that_nobody_brings_is_refused(
    login: Login, officer: User, waiting: LoanApplication, kind: str
) -> None:
    response = login(officer).post(page("upload", waiting), typed(kind=kind))

    assert response.context["form"].errors.keys() == {"kind"}
    assert not Document.objects.exists()


def test_form_without_a_file_is_refused(
    login: Login, officer: User, waiting: LoanApplication
) -> None:
    response = login(officer).post(page("upload", waiting), {"kind": "other"})

    assert response.context["form"].errors.keys() == {"file"}


@pytest.mark.parametrize("who", ["manager", "auditor"])
def test_who_may_not_add_documents_sees_no_button_and_is_refused(
    login: Login, request: pytest.FixtureRequest, waiting: LoanApplication, media: Path, who: str
) -> None:
    client = login(request.getfixturevalue(who))
    assert "press-upload" not in client.get(page("change", waiting)).text

    response = client.post(page("upload", waiting), typed())

    assert said(response) == ["You may not add a document."]
    assert not Document.objects.exists()
    assert not stored(media)


def test_closed_case_takes_nothing(
    login: Login, officer: User, waiting: LoanApplication, media: Path
) -> None:
    LoanApplication.objects.update(status="declined")
    client = login(officer)
    assert "press-upload" not in client.get(page("change", waiting)).text

    response = client.post(page("upload", waiting), typed())

    assert "is declined" in said(response)[0]
    assert not stored(media)
    assert not StoredUpload.objects.exists()


def test_looking_at_the_form_changes_nothing(
    login: Login, officer: User, waiting: LoanApplication
) -> None:
    client = login(officer)
    before = everything_stored()

    assert client.get(page("upload", waiting)).status_code == 200
    assert client.head(page("upload", waiting)).status_code == 200
    assert everything_stored() == before
