"""Changes by partners and staff through the API, and the fraud vendor's answer."""

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.roles import Role
from partners.models import Partner
from partners.services.keys import partner_key_issue
from reviews.choices import TaskKind
from tests import casework
from tests.applications import files
from tests.audit.scenarios.office import Office
from tests.audit.scenarios.webhooks import HOOKS
from tests.partners.api.calls import path
from tests.workflows.callbacks.conftest import wait_for_vendor
from tests.workflows.callbacks.vendor import FLAGGED, SECRET, send
from webhooks.endpoints import endpoint_create
from webhooks.models import WebhookEvent


def _partner(office: Office) -> tuple[Client, Partner]:
    partner = Partner.objects.create(name="Maple Brokers")
    _, key = partner_key_issue(partner=partner)
    return Client(headers={"Authorization": f"Bearer {key}"}), partner


def api_submit(office: Office) -> None:
    client, _ = _partner(office)
    body = {"applicant_name": "Alice", "sin_last4": "1111", "loan_amount": "1000.00"}
    client.post("/api/v1/applications/", body, content_type="application/json")


def api_withdraw(office: Office) -> None:
    client, partner = _partner(office)
    application = casework.waiting_for_manager(None, partner=partner)
    client.post(path(application.reference, "withdraw/"), {}, content_type="application/json")


def api_decide(office: Office) -> None:
    application = office.waiting()
    client = office.client(Role.MANAGER)
    client.post(
        path(application.reference, "decision/"),
        {"approved": True},
        content_type="application/json",
    )


def api_upload(office: Office) -> None:
    client, partner = _partner(office)
    application = casework.waiting_for_manager(None, partner=partner)
    sent = {"kind": "other", "file": SimpleUploadedFile("slip.pdf", files.PDF, "application/pdf")}
    client.post(path(application.reference, "documents/"), sent)


def _offered(office: Office) -> tuple[Client, str]:
    """A partner, and a case of its that waits for the applicant's answer."""
    client, partner = _partner(office)
    application = casework.offered(None, partner=partner)
    casework.ask(application, TaskKind.OFFER_ACCEPTANCE)
    return client, application.reference


def api_accept(office: Office) -> None:
    client, reference = _offered(office)
    client.post(path(reference, "offer/accept/"), {}, content_type="application/json")


def api_refuse(office: Office) -> None:
    client, reference = _offered(office)
    client.post(path(reference, "offer/decline/"), {}, content_type="application/json")


def api_webhook_resend(office: Office) -> None:
    client, partner = _partner(office)
    endpoint_create(partner=partner, url=HOOKS)
    casework.submit(None, partner=partner)
    event = WebhookEvent.objects.get()
    where = reverse("webhook_api:resend", args=[event.public_id])
    client.post(where, {}, content_type="application/json")


def vendor_answers(office: Office) -> None:
    office.monkeypatch.setattr(settings, "LOANOFFICE_FRAUD_VENDOR_SECRETS", [SECRET])
    application = casework.submit(office.officer())
    casework.assess(application)
    assert send(wait_for_vendor(application), FLAGGED).status_code == 202
