"""Describe what partners receive, as the document's ``webhooks``: one entry for each type.

Written out, because drf-spectacular omits the headers of a webhook. The settings name them.
"""

from typing import Any

from drf_spectacular.utils import OpenApiWebhook

from partners.api.examples import REFERENCE
from webhooks.choices import EVENT_OF_STATUS, TEST, EventType

DESCRIPTION = (
    "Signed as [Standard Webhooks](https://www.standardwebhooks.com/) says; verify it before "
    "you believe it. Answer 2xx within ten seconds, then do your work. Anything else is tried "
    "again for about three days, redirects are not followed, and 410 disables the endpoint. "
    "The same event can come more than once and out of order: its `webhook-id` stays the same, "
    "so remember the ids that you have seen, and read the application for its present state."
)
HEADERS = (
    (
        "webhook-id",
        {"type": "string", "maxLength": 40},
        "The event's id, the same at every try and every resend.",
    ),
    (
        "webhook-timestamp",
        {"type": "string", "pattern": "^[0-9]+$"},
        "Seconds since 1970 at which this try was signed. Refuse one that is minutes away.",
    ),
    (
        "webhook-signature",
        {"type": "string", "pattern": "^v1,[A-Za-z0-9+/=]+( v1,[A-Za-z0-9+/=]+)*$"},
        "`v1,` and the base64 of HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}`, "
        "keyed with the base64-decoded part of the secret after `whsec_`. While a secret is "
        "being rotated there are two, apart by a space: one that fits is enough.",
    ),
)
STATUSES = {type_: status for status, type_ in EVENT_OF_STATUS.items()}


def _of_status(type_: EventType) -> OpenApiWebhook:
    status = STATUSES[type_].value
    subject = {
        "reference": {"type": "string"},
        "status": {
            "type": "string",
            "const": status,
            "description": "As it was when the event happened.",
        },
    }
    return _webhook(
        type_.value,
        operation=f"on{type_.name.title().replace('_', '')}",
        summary=f"An application of yours is {type_.label.lower()}.",
        subject=subject,
        example={"reference": REFERENCE, "status": status},
    )


def _webhook(
    type_: str,
    *,
    operation: str,
    summary: str,
    subject: dict[str, Any],
    example: dict[str, str],
    more: str = "",
) -> OpenApiWebhook:
    return OpenApiWebhook(
        name=type_,
        decorator={
            "post": {
                "operationId": operation,
                "summary": summary,
                "description": f"{more}{DESCRIPTION}",
                "tags": ["webhooks"],
                "parameters": [
                    {
                        "in": "header",
                        "name": name,
                        "required": True,
                        "schema": schema,
                        "description": description,
                    }
                    for name, schema, description in HEADERS
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": _payload(type_, subject),
                            "example": {
                                "type": type_,
                                "timestamp": "2026-11-23T10:30:05Z",
                                "data": example,
                            },
                        }
                    },
                },
                "responses": {
                    "2XX": {"description": "It arrived."},
                    "410": {"description": "Send nothing here any more."},
                    "default": {"description": "It is tried again."},
                },
            }
        },
    )


def _payload(type_: str, subject: dict[str, Any]) -> dict[str, Any]:
    """Open: a field that is added later is no reason to refuse it."""
    return {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"type": "string", "const": type_},
            "timestamp": {
                "type": "string",
                "format": "date-time",
                "description": "When it happened.",
            },
            "data": {
                "type": "object",
                "required": list(subject),
                "properties": subject,
            },
        },
    }


SUBMITTED = _of_status(EventType.SUBMITTED)
PENDING_APPROVAL = _of_status(EventType.PENDING_APPROVAL)
APPROVED = _of_status(EventType.APPROVED)
FUNDED = _of_status(EventType.FUNDED)
DECLINED = _of_status(EventType.DECLINED)
WITHDRAWN = _of_status(EventType.WITHDRAWN)
EXPIRED = _of_status(EventType.EXPIRED)
ENDPOINT_TEST = _webhook(
    TEST,
    operation="onEndpointTest",
    summary="A test of your endpoint.",
    subject={
        "url": {"type": "string", "description": "Your endpoint's URL, as it is registered."},
    },
    example={"url": "https://partner.example.com/loan-office"},
    more="Your contact sent it from the page of the endpoint. It is about no application, and is "
    "not listed among your events. Verify it and answer as you would any other.\n\n",
)
