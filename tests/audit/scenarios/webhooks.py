"""Changes of webhook endpoints and deliveries in the admin."""

from accounts.roles import Role
from partners.models import Partner
from tests import casework
from tests.audit.scenarios.office import REASON, Office, address
from webhooks.endpoints import endpoint_create, endpoint_disable
from webhooks.models import WebhookDelivery, WebhookEndpoint

HOOKS = "https://hooks.example.invalid/loans"


def endpoint_add(office: Office) -> None:
    partner = Partner.objects.create(name="Maple")
    client = office.client(Role.PARTNER_MANAGER)
    client.post(
        address("webhooks_webhookendpoint_add"),
        {"partner": partner.pk, "url": HOOKS, "event_types": ["application.funded"]},
    )


def _endpoint() -> WebhookEndpoint:
    return endpoint_create(partner=Partner.objects.create(name="Maple Brokers"), url=HOOKS)[0]


def endpoint_rotate(office: Office) -> None:
    row = _endpoint()
    office.client(Role.PARTNER_MANAGER).post(address("webhooks_webhookendpoint_rotate", row.pk))


def endpoint_tested(office: Office) -> None:
    row = _endpoint()
    office.client(Role.PARTNER_MANAGER).post(address("webhooks_webhookendpoint_test", row.pk))


def endpoint_disabled(office: Office) -> None:
    row = _endpoint()
    office.client(Role.PARTNER_MANAGER).post(
        address("webhooks_webhookendpoint_disable", row.pk), REASON
    )


def endpoint_enabled(office: Office) -> None:
    row = _endpoint()
    endpoint_disable(endpoint=row, why="By hand.")
    office.client(Role.PARTNER_MANAGER).post(
        address("webhooks_webhookendpoint_enable", row.pk), REASON
    )


def _failed() -> WebhookDelivery:
    """A webhook that was given up."""
    row = _endpoint()
    casework.submit(None, partner=row.partner)
    WebhookDelivery.objects.update(status="failed")
    return WebhookDelivery.objects.get()


def delivery_resend(office: Office) -> None:
    row = _failed()
    office.client(Role.OPERATIONS).post(address("webhooks_webhookdelivery_resend", row.pk))


def deliveries_resend(office: Office) -> None:
    row = _failed()
    typed = {"action": "resend_selected", "index": "0", "_selected_action": [row.pk]}
    client = office.client(Role.OPERATIONS)
    client.post(address("webhooks_webhookdelivery_changelist"), typed)
