"""Looking at a document in place: which files, with which headers, and that it is on record."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.utils import timezone

from applications.choices import DocumentKind
from applications.models import Document, LoanApplication
from applications.services import documents
from audit.models import Action, AuditEntry
from reviews.choices import TaskKind
from tests import casework
from tests.applications import files
from tests.applications.admin.conftest import Login, decide_page, page

SANDBOXED = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox"
)


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    """Return the folder that holds this test's files only."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture
def flagged(officer: User) -> LoanApplication:
    """Waits for the fraud check of an analyst."""
    application = casework.submit(officer, loan_amount=12_000)
    casework.assess(application)
    casework.ask(application, TaskKind.FRAUD_REVIEW)
    application.refresh_from_db()
    return application


def added(application: LoanApplication, user: User, name: str, content: bytes) -> Document:
    upload = documents.upload_read(
        kind=DocumentKind.PROOF_OF_INCOME,
        name=name,
        declared_type="",
        content=ContentFile(content),
    )
    return files.document_upload(reference=application.reference, user=user, upload=upload)


def on_record() -> int:
    return AuditEntry.objects.filter(action=Action.DOWNLOADED).count()


def test_each_accepted_type_is_shown_in_a_frame_of_ours_and_on_record(
    login: Login, officer: User, analyst: User, flagged: LoanApplication
) -> None:
    client = login(analyst)
    for media_type, (name, content) in files.TYPES.items():
        document = added(flagged, officer, name, content)
        answer: Any = client.get(page("preview", flagged, document.pk))

        assert answer.status_code == 200
        assert b"".join(answer.streaming_content) == content
        # Chromium shows a PDF in no sandboxed frame.
        policy = (
            SANDBOXED.removesuffix("; sandbox") if media_type == "application/pdf" else SANDBOXED
        )
        expected = {
            "Content-Type": media_type,
            "Content-Disposition": f'inline; filename="{name}"',
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "SAMEORIGIN",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        assert {header: answer.headers[header] for header in expected} == expected
        assert "no-store" in answer.headers["Cache-Control"]
        entry = AuditEntry.objects.filter(action=Action.DOWNLOADED).latest("pk")
        assert (entry.actor, entry.reference) == (analyst, flagged.reference)
        assert entry.message == f"Previewed proof of income “{name}”."
        assert entry.details == {"sha256": document.sha256}
    assert on_record() == len(files.TYPES)


def test_what_is_not_one_of_the_types_is_never_shown(
    login: Login, officer: User, analyst: User, flagged: LoanApplication, media: Path
) -> None:
    client = login(analyst)
    document = added(flagged, officer, "slip.pdf", files.PDF)
    stored = media / str(document.file.name)
    for content in (files.HTML, files.SVG, files.PNG, b""):
        stored.write_bytes(content)
        answer = client.get(page("preview", flagged, document.pk))

        assert answer.status_code == 415
        assert answer.text == "Not shown: this is not the PDF, PNG or JPEG that it is listed as."
        assert answer.headers["Content-Type"] == "text/plain"
        assert answer.headers["Content-Security-Policy"] == SANDBOXED

    stored.unlink()
    answer = client.get(page("preview", flagged, document.pk))
    assert (answer.status_code, answer.text) == (404, "The file is not in storage any more.")

    Document.objects.update(content_type="image/svg+xml")
    stored.write_bytes(files.SVG)
    assert client.get(page("preview", flagged, document.pk)).status_code == 415
    assert page("preview", flagged, document.pk) not in client.get(page("change", flagged)).text
    assert on_record() == 0


def test_pages_load_no_preview_themselves_and_stay_out_of_frames(
    login: Login, officer: User, analyst: User, flagged: LoanApplication
) -> None:
    document = added(flagged, officer, "card.png", files.PNG)
    client = login(analyst)
    for address in (page("change", flagged), decide_page(flagged, "approve")):
        shown = client.get(address)

        assert f'href="{page("preview", flagged, document.pk)}"' in shown.text
        assert shown.text.count('id="preview"') == 1
        assert "applications/preview.js" in shown.text
        assert "<iframe" not in shown.text
        assert shown.headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in shown.headers["Content-Security-Policy"]
    assert on_record() == 0


def test_empty_panels_say_what_could_be_there_and_who_brings_it(
    login: Login, officer: User, manager: User
) -> None:
    application = casework.submit(officer)
    client = login(manager)

    shown = client.get(page("change", application)).text

    assert "No document yet. Loan officers and the partner add proof of identity" in shown
    assert "Nobody has been asked. A manager is asked" in shown

    LoanApplication.objects.update(status="declined", closed_at=timezone.now())
    shown = client.get(page("change", application)).text
    assert "No document was added." in shown
    assert "Nobody was asked." in shown
