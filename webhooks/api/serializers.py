"""Serializers of webhook events: the query of the list and the shape of an event.

They never contain a secret or the IP address that was called.
"""

import json
from typing import Any

from rest_framework import serializers

from applications.choices import Status
from partners.api.serializers import PageQuerySerializer, TextField, moment
from webhooks.choices import EventType
from webhooks.models import WebhookDelivery, WebhookEvent


class WebhookEventQuerySerializer(PageQuerySerializer):
    """The query of ``GET /webhook-events/``."""

    type = serializers.ChoiceField(
        choices=EventType.choices,
        required=False,
        error_messages={"invalid_choice": f"Choose one of: {', '.join(EventType.values)}."},
    )
    reference = TextField(
        required=False, max_length=20, help_text="Events of this application alone."
    )
    created_after = moment(required=False, help_text="Happened later than this.")
    created_before = moment(required=False, help_text="Happened earlier than this.")


class WebhookDataSerializer(serializers.Serializer[Any]):
    """Subject of an event; read the application to know more."""

    reference = serializers.CharField()
    status = serializers.ChoiceField(
        choices=Status.choices, help_text="As it was when the event happened."
    )


class WebhookDeliverySerializer(serializers.Serializer[Any]):
    """Delivery of an event to one of your endpoints."""

    url = serializers.CharField(help_text="The endpoint's URL, as it is now.")
    status = serializers.ChoiceField(
        choices=WebhookDelivery.Status.choices,
        help_text="`failed` once it was given up; a resend begins anew.",
    )
    attempts = serializers.IntegerField(help_text="Tries so far, those of resends included.")
    last_attempt_at = moment(allow_null=True, help_text="Null before the first try.")
    response_status = serializers.IntegerField(
        allow_null=True, help_text="The HTTP status of the last try; null when nothing answered."
    )


class WebhookEventSerializer(serializers.Serializer[Any]):
    """An event with what became of it; ``id`` is what every delivery carries as `webhook-id`."""

    id = serializers.CharField(help_text="The `webhook-id` of every delivery of this event.")
    type = serializers.ChoiceField(choices=EventType.choices)
    timestamp = moment(help_text="When it happened.")
    data = WebhookDataSerializer()  # type: ignore[assignment]
    deliveries = WebhookDeliverySerializer(
        many=True, help_text="One for each endpoint that it was sent to; empty when none listened."
    )

    def to_representation(self, instance: WebhookEvent) -> dict[str, Any]:
        """Write the payload as it was sent, so that the API and the webhook agree."""
        deliveries = [_delivery(row) for row in instance.deliveries.all()]
        return {
            "id": instance.public_id,
            **json.loads(instance.payload),
            "deliveries": WebhookDeliverySerializer(deliveries, many=True).data,
        }


class WebhookEventPageSerializer(serializers.Serializer[Any]):
    results = WebhookEventSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


def _delivery(row: WebhookDelivery) -> dict[str, Any]:
    return {
        "url": row.endpoint.url,
        "status": row.status,
        "attempts": row.attempts,
        "last_attempt_at": row.last_attempt_at,
        "response_status": row.last_status_code or None,
    }
