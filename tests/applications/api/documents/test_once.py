"""An upload is done once, or not at all: retries, and what fails in the middle."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage

from applications.models import Document, LoanApplication, StoredUpload
from applications.services import documents, intake
from partners.models import Partner
from tests.applications import files
from tests.applications.api.documents.sending import SENT, send, stored
from tests.partners.api.calls import Caller, assert_problem

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
    intake.application_withdraw(reference=case.reference, partner=partner)

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
