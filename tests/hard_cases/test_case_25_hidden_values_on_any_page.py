"""Case 25: what is masked of an applicant is read from some other page, file or figure.

Every role read the address in the letter of an offer, and computed the income from the share of
it beside the amount. Each role opens every address here, for applications in several states
whose masked values occur nowhere else.
"""

import logging
import re
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import DjangoDbBlocker

from accounts.roles import Role
from applications.choices import DocumentKind
from applications.models import ApplicationNote, Document, LoanApplication, RiskAssessment
from applications.services import documents, intake
from applications.services.access_log import REVEAL
from applications.services.notes import note_add
from audit.models import Action, AuditEntry
from core.admin.row_actions import row_url
from lending.choices import Outcome
from partners.models import Partner
from partners.services import keys
from reviews.models import BulkDecision
from reviews.services import decisions
from reviews.services.bulk_decisions import Read, bulk_begin
from reviews.services.information import information_answer, information_ask
from tests import casework
from tests.applications import files
from tests.applications.admin.conftest import LIST, Login, page
from tests.casework import ALICE
from tests.hard_cases.test_case_17_links_that_are_followed import Addresses
from tests.partners.api.calls import path
from tests.sizes import size, some
from tests.workflows import trouble
from webhooks.models import WebhookEndpoint
from workflows import incidents
from workflows.models import PendingCallback

pytestmark = pytest.mark.django_db

HIDDEN: dict[str, Any] = {
    "address": "77 Quagga Crescent, Zebraville",
    "phone": "977-864-2319",
    "email": "okapi@quagga.example",
    "sin_last4": "9753",
    "annual_income": Decimal("98765.43"),
}
TYPED = "Call 977.864.2319 or OKAPI@quagga.example, lives at 77 Quagga Crescent."
# The values, however a page writes them; and what must be on no page at all.
VALUES = {
    "address": re.compile("quagga crescent|zebraville", re.IGNORECASE),
    "phone": re.compile(r"864\D{0,3}2319"),
    "email": re.compile("okapi@", re.IGNORECASE),
    "sin_last4": re.compile(r"(?<![\w.,-])9753(?![\w.,-])"),
    "annual_income": re.compile(r"98\D{0,2}765"),
}
SECRETS = {
    "webhook secret": re.compile("whsec_Okapi"),
    "callback id": re.compile("callback-okapi"),
    "second factor": re.compile("0badc0de" * 5),
    "password": re.compile("pbkdf2_sha256|md5\\$|argon2"),
}
ROLES = pytest.mark.parametrize("role", Role, ids=lambda role: role.key)
WITH_THE_RIGHT = [role for role in Role if REVEAL in role.grants]
WITHOUT = [role for role in Role if REVEAL not in role.grants]
# Who opens every page: one with the right to reveal and one without it, or everybody.
WALKERS = size(short=1, long=len(Role))
ROWS = size(short=1, long=25)  # of each model, whose pages they open
DRAWN = size(short=12, long=80)  # pages, at least


@pytest.fixture(scope="module")
def office(module_rows: None, django_db_blocker: DjangoDbBlocker) -> None:
    """A person of each role, and applications of somebody else in several states."""
    with django_db_blocker.unblock():
        author = person("author", Role.LOAN_OFFICER)
        for role in Role:
            person(role.key, role)
        partner = Partner.objects.create(name="Maple Brokers")
        keys.partner_key_issue(partner=partner)
        WebhookEndpoint.objects.create(
            partner=partner, url="https://partner.example.com/", secret="whsec_Okapi"
        )
        TOTPDevice.objects.create(user=author, key="0badc0de" * 5)
        decider = person("decider", Role.SENIOR_MANAGER)

        waiting = casework.waiting_for_manager(None, partner=partner, **HIDDEN)
        PendingCallback.objects.update(callback_id="callback-okapi")
        upload(waiting, author)
        note_add(reference=waiting.reference, user=author, text=TYPED)
        rows = [Read(waiting.pk, waiting.review_tasks.get().pk, waiting.version)]
        bulk_begin(user=decider, token=uuid4(), outcome=Outcome.DECLINE, rows=rows, reason=TYPED)
        sent_back = casework.waiting_for_manager(author, **HIDDEN)
        PendingCallback.objects.filter(execution__application=sent_back).update(
            callback_id="callback-okapi-3"
        )
        asked = information_ask(task=sent_back.review_tasks.get(), user=decider, message=TYPED)
        information_answer(request=asked, user=author, answer=TYPED)
        edited = casework.submit(author, **ALICE | HIDDEN | {"phone": "416-555-0199"})
        intake.application_edit(reference=edited.reference, user=author, phone=HIDDEN["phone"])
        intake.application_withdraw(reference=edited.reference, user=author, reason=TYPED)
        declined = casework.waiting_for_manager(author, **HIDDEN)
        callback = PendingCallback.objects.filter(execution__application=declined)
        callback.update(callback_id="callback-okapi-2")
        decisions.task_decide(
            task=declined.review_tasks.get(), user=decider, outcome=Outcome.DECLINE, reason=TYPED
        )
        intake.application_create(user=author, **ALICE | HIDDEN)
        casework.funded(author, **{**HIDDEN, "loan_amount": Decimal(12_000)})
        solver = person("solver", Role.OPERATIONS)
        stuck = trouble.stuck(author, **HIDDEN)
        incidents.incident_acknowledge(incident=stuck, user=solver)
        incidents.incidents_close(application=stuck.application, note="", by=solver)


def person(name: str, role: Role) -> User:
    user = User.objects.create_user(name, f"{name}@example.com", "demo", is_staff=True)
    user.groups.add(Group.objects.get(name=role.value))
    return user


def upload(application: LoanApplication, user: User) -> Document:
    read = documents.upload_read(
        kind=DocumentKind.PROOF_OF_INCOME,
        name="slip.pdf",
        declared_type="application/pdf",
        content=ContentFile(files.PDF, "slip.pdf"),
    )
    return files.document_upload(reference=application.reference, user=user, upload=read)


def client_of(role: Role) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=role.key))
    return client


def shares() -> dict[str, re.Pattern[str]]:
    """The exact share of the income in each assessment."""
    found = set(RiskAssessment.objects.values_list("debt_to_income", flat=True))
    assert found
    assert None not in found
    return {
        f"share {share}": re.compile(rf"(?<![\d.]){re.escape(str(share))}(?!\d)") for share in found
    }


def addresses() -> list[str]:
    """Every address for one application that waits, and those that show something of the others."""
    waiting, *others = LoanApplication.objects.order_by("pk")
    every = [*Addresses([waiting])]
    drawn = [page(name, each) for each in others for name in ("live", "timeline")]
    rows = [row_url(row) for model in admin.site._registry for row in model.objects.all()[:ROWS]]
    found = dict.fromkeys((*every, *drawn, *rows))
    return [each for each in found if "logout" not in each and "health" not in each]


def told(text: str, patterns: dict[str, re.Pattern[str]]) -> list[str]:
    return [name for name, pattern in patterns.items() if pattern.search(text)]


def text_of(answer: Any) -> str:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return str(content.decode("utf-8", "replace"))


def is_file(answer: Any) -> bool:
    """Tell whether this is a document, whose reader has the right to what is in it."""
    kept = answer.get("Content-Disposition", "")
    return bool(kept) and "csv" not in answer.get("Content-Type", "")


@pytest.fixture
def _refusals_are_not_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of pages are refused, each with its traceback in the log."""
    monkeypatch.setattr(logging.getLogger("django.request"), "disabled", True)


@pytest.mark.long
@pytest.mark.usefixtures("_refusals_are_not_logged")
@pytest.mark.parametrize(
    "role", [*WITH_THE_RIGHT[:WALKERS], *WITHOUT[:WALKERS]], ids=lambda role: role.key
)
def test_no_page_tells_a_masked_value_before_it_is_revealed(office: None, role: Role) -> None:
    client = client_of(role)
    patterns = {**VALUES, **SECRETS, **shares()}
    found, drawn = {}, 0
    for address in some(addresses(), of=5):
        answer = client.get(address)
        text = text_of(answer)
        drawn += answer.status_code == 200
        if not (is_file(answer) and role in WITH_THE_RIGHT) and (names := told(text, patterns)):
            found[address] = names

    assert found == {}
    assert drawn > DRAWN


@ROLES
def test_no_export_and_no_preview_of_a_bulk_decision_tells_one(office: None, role: Role) -> None:
    client = client_of(role)
    patterns = {**VALUES, **SECRETS, **shares()}
    everything = list(LoanApplication.objects.values_list("pk", flat=True))
    for address, typed in (
        (reverse("admin:applications_loanapplication_export"), {}),
        (reverse("admin:audit_auditentry_export"), {}),
        (LIST, {"action": "decline_selected", "index": "0", "_selected_action": everything}),
    ):
        assert told(text_of(client.post(address, typed)), patterns) == [], address


@pytest.mark.parametrize("role", WITH_THE_RIGHT, ids=lambda role: role.key)
def test_who_reveals_the_income_sees_the_exact_share_of_it(office: None, role: Role) -> None:
    client = client_of(role)
    waiting = RiskAssessment.objects.order_by("pk").first().application
    client.post(page("reveal", waiting))

    shown = client.get(page("change", waiting)).text

    assert told(shown, VALUES) == list(VALUES)
    assert len(told(shown, shares())) == 1
    assert len(told(client.get(page("live", waiting)).text, shares())) == 1


@pytest.mark.parametrize("role", WITHOUT, ids=lambda role: role.key)
def test_band_stands_in_place_of_the_share(office: None, role: Role) -> None:
    waiting = RiskAssessment.objects.order_by("pk").first().application
    client = client_of(role)
    client.post(page("reveal", waiting))

    shown = client.get(page("change", waiting)).text

    assert "<dt>Estimated payment to income</dt><dd>80 to 160 %</dd>" in shown
    assert told(shown, {**VALUES, **shares()}) == []


# --- Documents ------------------------------------------------------------------------------


@ROLES
def test_document_is_opened_with_the_right_to_reveal_and_on_record(
    office: None, role: Role
) -> None:
    client = client_of(role)
    for document in Document.objects.select_related("application"):
        application = document.application
        address, shown = (page(name, application, document.pk) for name in ("document", "preview"))
        before = AuditEntry.objects.filter(action=Action.DOWNLOADED).count()

        listed = client.get(page("change", application)).text
        assert (address in listed) is (role in WITH_THE_RIGHT)
        assert (shown in listed) is (role in WITH_THE_RIGHT)
        assert ('id="documents-closed"' in listed) is (role in WITHOUT)
        assert AuditEntry.objects.filter(action=Action.DOWNLOADED).count() == before
        answer = client.get(address)

        if role in WITHOUT:
            assert answer.status_code == 403
            assert client.get(shown).status_code == 403
            assert AuditEntry.objects.filter(action=Action.DOWNLOADED).count() == before
            continue
        assert is_file(answer)
        assert text_of(answer).startswith("%PDF")
        entries = AuditEntry.objects.filter(action=Action.DOWNLOADED)
        assert entries.count() == before + 1
        newest = entries.latest("pk")
        assert (newest.who, newest.reference) == (role.key, application.reference)
        assert newest.details == {"sha256": document.sha256}
        assert text_of(client.get(shown)).startswith("%PDF")
        assert entries.count() == before + 2


@ROLES
def test_api_gives_staff_links_to_documents_with_the_right_to_reveal(
    office: None, role: Role
) -> None:
    document = Document.objects.select_related("application")[0]
    before = AuditEntry.objects.filter(action=Action.DOWNLOADED).count()

    answer = client_of(role).get(path(document.application.reference, "documents/"))

    assert answer.status_code == (200 if role in WITH_THE_RIGHT else 403)
    after = AuditEntry.objects.filter(action=Action.DOWNLOADED).count()
    assert after - before == (role in WITH_THE_RIGHT)


def test_letter_is_among_the_documents(office: None) -> None:
    kinds = set(Document.objects.values_list("kind", flat=True))

    assert kinds == {DocumentKind.OFFER_LETTER, DocumentKind.PROOF_OF_INCOME}


# --- Typed by people ------------------------------------------------------------------------


def test_contact_details_that_somebody_typed_are_kept_masked(
    office: None, login: Login, django_db_blocker: DjangoDbBlocker
) -> None:
    withdrawn = LoanApplication.objects.get(status="withdrawn")
    declined = LoanApplication.objects.exclude(review_tasks__decisions=None).get()
    masked = "Call 9••-•••-••19 or o••••@q••••.example, lives at 7••••."

    event = withdrawn.events.get(kind="withdrawn")
    decision = declined.review_tasks.get().decisions.get()

    assert event.data == {"reason": masked}
    assert AuditEntry.objects.get(action=Action.WITHDRAWN).details["reason"] == masked
    assert decision.reason.endswith(masked)
    assert BulkDecision.objects.get().reason == masked
    assert ApplicationNote.objects.get().text == masked
