"""Addresses of the admin pages of webhooks, and a delivery that was given up."""

from django.urls import reverse

from partners.models import Partner
from tests.webhooks.conftest import submit
from webhooks.models import WebhookDelivery, WebhookEndpoint

ADD = "/admin/webhooks/webhookendpoint/add/"
ENDPOINTS = "/admin/webhooks/webhookendpoint/"
DELIVERIES = "/admin/webhooks/webhookdelivery/"
URL = "https://hooks.example.invalid/loans"


def of(endpoint: WebhookEndpoint, name: str) -> str:
    return reverse(f"admin:webhooks_webhookendpoint_{name}", args=[endpoint.pk])


def of_delivery(delivery: WebhookDelivery, name: str) -> str:
    return reverse(f"admin:webhooks_webhookdelivery_{name}", args=[delivery.pk])


def given_up(partner: Partner) -> WebhookDelivery:
    submit(partner)
    WebhookDelivery.objects.filter(status="pending").update(status="failed")
    return WebhookDelivery.objects.latest("pk")
