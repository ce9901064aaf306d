"""Describe the operations on webhook events for the OpenAPI document."""

from drf_spectacular.utils import OpenApiParameter, extend_schema

from partners.api.examples import REFERENCE
from partners.api.openapi.parameters import COMMON_HEADERS, POST_HEADERS, page, response
from partners.api.openapi.problems import NOT_FOUND, POSTING, READING, conflict, invalid, problem
from partners.api.serializers import EmptySerializer
from webhooks.api.serializers import (
    WebhookEventPageSerializer,
    WebhookEventQuerySerializer,
    WebhookEventSerializer,
)

GIVEN_UP = {
    "url": "https://hooks.example.com/loans",
    "status": "failed",
    "attempts": 10,
    "last_attempt_at": "2026-11-26T16:04:10Z",
    "response_status": 503,
}
FUNDED = {
    "id": "evt_Zm9yIGV4YW1wbGUgb25seSE5OTk5",
    "type": "application.funded",
    "timestamp": "2026-11-23T10:30:05Z",
    "data": {"reference": REFERENCE, "status": "funded"},
    "deliveries": [GIVEN_UP],
}
ON_ITS_WAY = {**FUNDED, "deliveries": [{**GIVEN_UP, "status": "pending"}]}

webhook_events_list = extend_schema(
    operation_id="listWebhookEvents",
    summary="List webhook events",
    tags=["webhooks"],
    parameters=[WebhookEventQuerySerializer, *COMMON_HEADERS],
    responses={200: WebhookEventPageSerializer, **READING, **problem(400, "invalid-request")},
    examples=[response("One page", page([FUNDED]))],
)
webhook_event_resend = extend_schema(
    operation_id="resendWebhookEvent",
    summary="Send a webhook event again",
    tags=["webhooks"],
    parameters=[
        OpenApiParameter(
            "id",
            {"type": "string", "maxLength": 40},
            OpenApiParameter.PATH,
            description="The event's id, which a webhook carries as `webhook-id`.",
        ),
        *POST_HEADERS,
    ],
    request=EmptySerializer,
    responses={
        202: WebhookEventSerializer,
        **READING,
        **POSTING,
        **NOT_FOUND,
        **invalid("invalid-request"),
        **conflict("no-webhook-endpoint"),
    },
    examples=[response("On its way again", ON_ITS_WAY, 202)],
)
