"""Badges of webhook deliveries."""

from django.utils.safestring import SafeString

from core.admin.display import badge
from webhooks.models import WebhookDelivery

DELIVERY_TONES = {
    WebhookDelivery.Status.PENDING: "wait",
    WebhookDelivery.Status.DELIVERED: "good",
    WebhookDelivery.Status.FAILED: "bad",
}


def delivery_badge(delivery: WebhookDelivery) -> SafeString:
    known = WebhookDelivery.Status(delivery.status)
    return badge(str(known.label), DELIVERY_TONES[known])
