"""Files on their way to a case: stored before the transaction, taken in it, swept when left."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import connection, transaction
from django.utils import timezone

from applications.errors import ApplicationNotOpen, InvalidDocument, TooManyDocuments
from applications.models import ApplicationEvent, Document, LoanApplication, StoredUpload
from applications.services import documents, intake
from applications.services.documents import ABANDONED, Upload
from audit.models import AuditEntry
from core.errors import DomainError, NotPermitted
from partners.models import Partner
from tests import casework
from tests.applications import files
from workflows import sweep

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    """Return the folder that holds this test's files only."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


def stored(media: Path) -> list[str]:
    return [found.relative_to(media).as_posix() for found in media.rglob("*") if found.is_file()]


def read(content: bytes = files.PDF, name: str = "slip.pdf", kind: str = "other") -> Upload:
    return documents.upload_read(
        kind=kind, name=name, declared_type="", content=ContentFile(content)
    )


def later() -> Any:
    return timezone.now() + ABANDONED


def test_file_that_staff_bring_is_a_document_and_an_internal_line_that_names_them(
    submitted: LoanApplication, officer: User, media: Path
) -> None:
    document = files.document_upload(reference=submitted.reference, user=officer, upload=read())

    assert (document.uploaded_by, document.partner) == (officer, None)
    assert stored(media) == [document.file.name]
    line = ApplicationEvent.objects.latest("id")
    assert (line.actor, line.is_internal) == (officer, True)
    assert line.message == "A document was added: other “slip.pdf”."
    entry = AuditEntry.objects.latest("id")
    assert (entry.action, entry.actor, entry.reference) == (
        "created",
        officer,
        submitted.reference,
    )
    assert not StoredUpload.objects.exists()


def test_draft_takes_a_document(draft: LoanApplication, officer: User) -> None:
    files.document_upload(reference=draft.reference, user=officer, upload=read())

    assert Document.objects.get().application == draft


def test_who_may_not_add_one_stores_nothing(
    submitted: LoanApplication, manager: User, media: Path
) -> None:
    with pytest.raises(NotPermitted):
        files.document_upload(reference=submitted.reference, user=manager, upload=read())
    with pytest.raises(NotPermitted):
        documents.document_add(reference=submitted.reference, upload=read())

    assert stored(media) == []


def test_partner_adds_to_its_own_alone(
    submitted: LoanApplication, partner: Partner, media: Path
) -> None:
    upload = read()
    documents.upload_store(reference=submitted.reference, upload=upload)

    with pytest.raises(LoanApplication.DoesNotExist):
        documents.document_add(reference=submitted.reference, upload=upload, partner=partner)
    documents.upload_settle(reference=submitted.reference, upload=upload)
    assert stored(media) == []


def test_case_that_closes_between_two_looks_takes_nothing(
    submitted: LoanApplication, officer: User, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = documents.upload_store

    def closes(*, reference: str, upload: Upload) -> str:
        path = store(reference=reference, upload=upload)
        intake.application_withdraw(reference=reference, user=officer)
        return path

    monkeypatch.setattr(documents, "upload_store", closes)
    with pytest.raises(ApplicationNotOpen, match="withdrawn"):
        files.document_upload(reference=submitted.reference, user=officer, upload=read())

    assert stored(media) == []
    assert not StoredUpload.objects.exists()
    assert not Document.objects.exists()


@pytest.mark.parametrize("kind", ["offer_letter", "selfie", ""])
def test_only_what_can_be_brought_is_read(kind: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        read(kind=kind)

    assert caught.value.errors == {"kind": [documents.NOT_A_KIND]}


def test_file_that_is_too_large_is_refused_whoever_brings_it(settings: Any) -> None:
    settings.LOANOFFICE_DOCUMENT_BYTES = 1_500_000

    assert read(files.png(1_400_000), "x.png").size < 1_500_000
    with pytest.raises(InvalidDocument, match=r"at most 1\.5 MB"):
        read(files.png(1_500_000), "x.png")


# --- What a crash leaves --------------------------------------------------------------------


def test_file_is_named_by_a_row_before_it_is_stored(
    submitted: LoanApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[str] = []

    def save(_: Any, name: str, content: Any) -> str:
        known.append(StoredUpload.objects.get().path)
        return name

    monkeypatch.setattr(FileSystemStorage, "save", save)

    assert documents.upload_store(reference=submitted.reference, upload=read()) == known[0]


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_nothing_is_stored_inside_a_transaction(officer: User, media: Path) -> None:
    reference = intake.application_create(user=officer, **casework.ALICE).reference
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        documents.upload_store(reference=reference, upload=read())

    assert stored(media) == []


@pytest.mark.parametrize("is_stored", [True, False])
def test_what_a_crash_left_is_swept_away_an_hour_later(
    submitted: LoanApplication, media: Path, is_stored: bool
) -> None:
    path = documents.upload_store(reference=submitted.reference, upload=read())
    if not is_stored:
        (media / path).unlink()

    assert documents.uploads_forget(now=timezone.now(), limit=10) == 0
    assert StoredUpload.objects.exists()
    assert documents.uploads_forget(now=later(), limit=10) == 1
    assert stored(media) == []
    assert not StoredUpload.objects.exists()
    assert documents.uploads_forget(now=later(), limit=10) == 0


def test_sweep_forgets_uploads(submitted: LoanApplication, media: Path) -> None:
    documents.upload_store(reference=submitted.reference, upload=read())
    StoredUpload.objects.update(begun_at=timezone.now() - ABANDONED)

    sweep.now_and_then("forget_uploads", *sweep.FORGETTING["forget_uploads"])

    assert stored(media) == []
    assert not StoredUpload.objects.exists()


def test_sweep_takes_no_file_of_a_document(
    submitted: LoanApplication, officer: User, media: Path
) -> None:
    files.document_upload(reference=submitted.reference, user=officer, upload=read())

    assert documents.uploads_forget(now=later(), limit=10) == 0
    assert len(stored(media)) == 1


def test_file_that_was_given_up_is_no_document_any_more(
    submitted: LoanApplication, officer: User, media: Path
) -> None:
    upload = read()
    documents.upload_store(reference=submitted.reference, upload=upload)
    documents.uploads_forget(now=later(), limit=10)

    with pytest.raises(RuntimeError, match="given up"):
        documents.document_add(reference=submitted.reference, upload=upload, user=officer)
    assert not Document.objects.exists()


def test_file_that_storage_does_not_delete_is_tried_again_and_keeps_nobody_waiting(
    submitted: LoanApplication,
    media: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second = read(), read()
    stuck = documents.upload_store(reference=submitted.reference, upload=first)
    documents.upload_store(reference=submitted.reference, upload=second)
    delete = FileSystemStorage.delete

    def refuses(self: FileSystemStorage, name: str) -> None:
        if name == stuck:
            raise OSError("read-only")
        delete(self, name)

    with monkeypatch.context() as patched:
        patched.setattr(FileSystemStorage, "delete", refuses)
        documents.upload_settle(reference=submitted.reference, upload=first)
        assert documents.uploads_forget(now=later(), limit=10) == 1

    assert "An upload was left to the sweep" in caplog.text
    assert stored(media) == [stuck]
    assert StoredUpload.objects.get().given_up_at is not None
    assert documents.uploads_forget(now=later(), limit=10) == 1
    assert stored(media) == []


def test_files_that_storage_never_deletes_take_turns_with_the_others(
    submitted: LoanApplication, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [documents.upload_store(reference=submitted.reference, upload=read()) for _ in "123"]
    delete = FileSystemStorage.delete

    def refuses(self: FileSystemStorage, name: str) -> None:
        if name != paths[2]:
            raise OSError("read-only")
        delete(self, name)

    monkeypatch.setattr(FileSystemStorage, "delete", refuses)
    assert [documents.uploads_forget(now=later(), limit=1) for _ in paths] == [0, 0, 1]
    assert [documents.uploads_forget(now=later(), limit=1) for _ in paths] == [0, 0, 0]
    assert set(stored(media)) == set(paths[:2])


def test_settling_what_a_document_took_changes_nothing(
    submitted: LoanApplication, officer: User, media: Path
) -> None:
    upload = read()
    documents.upload_store(reference=submitted.reference, upload=upload)
    documents.document_add(reference=submitted.reference, upload=upload, user=officer)
    documents.upload_settle(reference=submitted.reference, upload=upload)

    assert len(stored(media)) == 1


# --- At once --------------------------------------------------------------------------------


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Start all calls at once, each in its own thread; return what each returned or raised."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        gate.wait()
        try:
            return work()
        except (DomainError, RuntimeError) as refused:
            return refused
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_uploads_at_once_never_go_beyond_the_most(
    officer: User, media: Path, settings: Any
) -> None:
    settings.LOANOFFICE_DOCUMENTS_MOST = 3
    reference = intake.application_create(user=officer, **casework.ALICE).reference

    found = at_once(
        *(
            lambda: files.document_upload(reference=reference, user=officer, upload=read())
            for _ in range(8)
        )
    )

    assert sum(isinstance(each, Document) for each in found) == 3
    assert sum(isinstance(each, TooManyDocuments) for each in found) == 5
    assert len(stored(media)) == Document.objects.count() == 3
    assert not StoredUpload.objects.exists()


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_file_is_taken_or_swept_and_never_both(officer: User, media: Path) -> None:
    reference = intake.application_create(user=officer, **casework.ALICE).reference
    for _ in range(10):
        upload = read()
        path = documents.upload_store(reference=reference, upload=upload)

        def add(upload: Upload = upload) -> Document:
            return documents.document_add(reference=reference, upload=upload, user=officer)

        added, swept = at_once(add, lambda: documents.uploads_forget(now=later(), limit=10))

        assert isinstance(added, Document) == (swept == 0)
        assert (media / path).exists() == Document.objects.filter(file=path).exists()
        assert not StoredUpload.objects.exists()
