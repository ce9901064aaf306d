"""Notes stay inside: no answer of the API, no webhook, no letter, mail or export has one."""

import json
import re
from io import BytesIO

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from pypdf import PdfReader

from applications.models import Document, LoanApplication
from applications.services.notes import note_add
from partners.models import Partner
from tests import casework
from tests.applications.admin.conftest import LIST
from tests.partners.api import contract
from tests.partners.api.calls import Caller
from webhooks.endpoints import endpoint_create
from webhooks.models import WebhookEvent
from workflows import executions
from workflows.models import OutboxMessage
from workflows.outbox import queue
from workflows.steps import payout

pytestmark = pytest.mark.django_db
NOTE = re.compile(r"okapi|\bnotes?\b|\bnoted\b|mention", re.IGNORECASE)


@pytest.fixture
def noted(partner: Partner, officer: User, manager: User) -> LoanApplication:
    """A partner's funded application with notes before and after each letter, and an endpoint."""
    casework.letters_at_once()
    endpoint_create(partner=partner, url="https://partner.example.com/", event_types=None)
    application = casework.submit(
        None, partner=partner, external_id="crm-1", sin_last4="3333", loan_amount=25_000
    )
    text = "Okapi Ltd called, @officer."
    note_add(reference=application.reference, user=manager, text=text)
    casework.assess(application)
    casework.pass_fraud_check(application)
    run = casework.run_of(application)
    casework.offer.offer_begin(run)
    casework.make_offer(run)
    note_add(reference=application.reference, user=manager, text=text)
    payout.disbursement_request(run)
    payout.disbursement_settle(run, rail_reference="RAIL-1")
    executions.closing_notice(run)
    note_add(reference=application.reference, user=manager, text=text)
    return application


def text_of(document: Document) -> str:
    with document.file.open() as file:
        return "".join(page.extract_text() for page in PdfReader(BytesIO(file.read())).pages)


def test_no_answer_of_the_api_tells_a_note(
    api: Caller, noted: LoanApplication, manager: User
) -> None:
    """Each address that answers with data is asked as the partner and as staff."""
    staff = Caller()
    staff.client.force_login(manager)
    values = {
        "reference": noted.reference,
        "id": WebhookEvent.objects.filter(application=noted).latest("pk").public_id,
    }
    asked = 0
    for template, operations in contract.document()["paths"].items():
        if "get" not in operations or "{token}" in template:  # a file: see the next test
            continue
        address = re.sub(r"\{(\w+)\}", lambda found: values[found[1]], template)
        for caller in (api, staff):
            answer = caller.get(address)
            if answer.status_code == 200 and "json" in answer["Content-Type"]:
                asked += 1
                # Staff see that a note was added, as a line of the timeline, and nothing of it.
                text = json.dumps(answer.json())
                if caller is staff:
                    text = text.replace('"Added a note."', "").replace('"noted"', "")
                assert NOTE.findall(text) == [], (template, caller is staff)
    assert asked >= 6
    schema = contract.document()["components"]["schemas"]
    fields = {name for shape in schema.values() for name in shape.get("properties", {})}
    assert not {name for name in fields if "note" in name or "mention" in name}


def test_no_webhook_letter_mail_or_export_tells_a_note(
    noted: LoanApplication, manager: User
) -> None:
    OutboxMessage.objects.exclude(kind="email").delete()
    queue.send_due()
    client = Client()
    client.force_login(manager)
    webhooks = "".join(WebhookEvent.objects.values_list("payload", flat=True))
    documents = [text_of(document) for document in noted.documents.all()]
    mails = [f"{letter.subject}\n{letter.body}" for letter in mail.outbox]
    to_applicant = [letter for letter in mail.outbox if letter.to == [noted.email]]
    export = b"".join(client.post(f"{LIST}export/").streaming_content).decode()

    assert len(webhooks) > 100
    assert NOTE.findall(webhooks) == []
    assert NOTE.findall("".join(documents)) == []
    assert "Amount: 25,000.00 CAD" in "".join(documents)
    assert to_applicant
    assert [letter.subject for letter in to_applicant if NOTE.search(str(letter.body))] == []
    assert "Okapi" not in "".join(mails)  # staff hear that there is one
    assert sum("mentioned you in a note" in text for text in mails) == 3
    assert noted.reference in export
    assert NOTE.findall(export) == []
