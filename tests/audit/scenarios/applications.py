"""Changes of applications, review tasks and documents in the admin."""

from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from accounts.roles import Role
from applications.models import Document, LoanApplication
from applications.services import intake
from reviews.models import BulkDecision
from reviews.services import bulk_decisions
from reviews.services.information import information_ask
from tests import casework
from tests.applications import files
from tests.applications.admin.conftest import ADD, decide_page, page
from tests.applications.admin.test_form import TYPED
from tests.audit.scenarios.office import Office, address
from tests.reviews.admin.bulk_forms import DECIDE, choose
from tests.reviews.admin.bulk_forms import typed as bulk_typed


def add(office: Office) -> None:
    office.client(Role.LOAN_OFFICER).post(ADD, {**TYPED, "_submit": "yes"})


def change(office: Office) -> None:
    client = office.client(Role.LOAN_OFFICER)
    draft = intake.application_create(user=office.actor, **casework.ALICE)
    typed = {**TYPED, "loan_amount": "90000", "read_version": draft.version, "_save": "yes"}
    client.post(page("change", draft), typed)


def reveal(office: Office) -> None:
    office.client(Role.MANAGER).post(page("reveal", office.waiting()))


def search_contact(office: Office) -> None:
    client = office.client(Role.MANAGER)
    client.post(reverse("admin:search"), {"term": office.waiting().phone})


def decide(office: Office) -> None:
    application = office.waiting()
    client = office.client(Role.MANAGER)
    client.post(decide_page(application, "approve"), {"version": application.version})


def decide_selected(office: Office) -> None:
    application = office.waiting()
    client = office.client(Role.MANAGER)
    client.post(DECIDE["approve"], bulk_typed(choose(client, "approve", [application])))


def claim_page(application: LoanApplication, what: str = "claim") -> str:
    return page(what, application, application.review_tasks.get().pk)


def claim(office: Office) -> None:
    application = office.waiting()
    office.client(Role.MANAGER).post(claim_page(application))


def release(office: Office) -> None:
    application = office.waiting()
    client = office.client(Role.MANAGER)
    client.post(claim_page(application))
    client.post(claim_page(application, "release"))


def take_over(office: Office) -> None:
    application = office.waiting()
    office.client(Role.MANAGER).post(claim_page(application))
    office.client(Role.SENIOR_MANAGER).post(claim_page(application, "take-over"))


def claim_selected(office: Office) -> None:
    task = office.waiting().review_tasks.get()
    client = office.client(Role.MANAGER)
    listed = {"action": "claim_selected", "index": "0", "_selected_action": [task.pk]}
    client.post(address("reviews_reviewtask_changelist"), listed)


def send_back(office: Office) -> None:
    application = office.waiting()
    client = office.client(Role.MANAGER)
    client.post(claim_page(application, "send_back"), {"message": "Net or gross?"})


def answer(office: Office) -> None:
    application = office.waiting()
    asked = information_ask(
        task=application.review_tasks.get(), user=office.user(Role.MANAGER), message="Net or gross?"
    )
    address = page("answer", application, asked.pk)
    office.client(Role.LOAN_OFFICER).post(address, {"answer": "Gross."})


def _begun(office: Office) -> BulkDecision:
    """A bulk decision whose process died before the first row."""
    application = office.waiting()
    client = office.client(Role.MANAGER)
    begin = bulk_decisions.bulk_begin

    def dies(**how: Any) -> None:
        begin(**how)
        raise SystemExit

    form = bulk_typed(choose(client, "approve", [application]))
    with office.monkeypatch.context() as patched:
        patched.setattr(bulk_decisions, "bulk_begin", dies)
        with pytest.raises(SystemExit):
            client.post(DECIDE["approve"], form)
    return BulkDecision.objects.get()


def go_on(office: Office) -> None:
    run = _begun(office)
    office.client(user=office.actor).post(address("applications_loanapplication_go_on", run.pk))


def withdraw(office: Office) -> None:
    application = office.waiting()
    office.client(Role.LOAN_OFFICER).post(page("withdraw", application), {"reason": "x"})


def document(office: Office) -> None:
    _opened(office, "document")


def preview(office: Office) -> None:
    _opened(office, "preview")


def _opened(office: Office, name: str) -> None:
    application = office.waiting()
    row = Document(application=application, kind=Document.Kind.OTHER, original_name="a", size=1)
    row.key, row.content_type, row.sha256 = "a", "application/pdf", "0" * 64
    row.file.save("a.pdf", ContentFile(files.PDF))
    answer: Any = office.client(Role.MANAGER).get(page(name, application, row.pk))
    b"".join(answer.streaming_content)


def note(office: Office) -> None:
    application = office.waiting()
    office.client(Role.MANAGER).post(page("note", application), {"text": "The employer called."})


def upload(office: Office) -> None:
    application = office.waiting()
    typed = {"kind": "other", "file": SimpleUploadedFile("slip.pdf", files.PDF, "application/pdf")}
    office.client(Role.LOAN_OFFICER).post(page("upload", application), typed)
