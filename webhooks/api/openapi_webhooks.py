"""Describe what partners receive, as the document's ``webhooks``: one entry for each type.

Written out, because drf-spectacular omits the headers of a webhook. The settings name them.
"""

from typing import Any

from drf_spectacular.utils import OpenApiWebhook

from partners.api.examples import REFERENCE
from webhooks.choices import EVENT_OF_STATUS, EventType

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


def _webhook(type_: EventType) -> OpenApiWebhook:
    status = STATUSES[type_].value
    return OpenApiWebhook(
        name=type_.value,
        decorator={
            "post": {
                "operationId": f"on{type_.name.title().replace('_', '')}",
                "summary": f"An application of yours is {type_.label.lower()}.",
                "description": DESCRIPTION,
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
                            "schema": _payload(type_.value, status),
                            "example": {
                                "type": type_.value,
                                "timestamp": "2026-11-23T10:30:05Z",
                                "data": {"reference": REFERENCE, "status": status},
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


def _payload(type_: str, status: str) -> dict[str, Any]:
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
                "required": ["reference", "status"],
                "properties": {
                    "reference": {"type": "string"},
                    "status": {
                        "type": "string",
                        "const": status,
                        "description": "As it was when the event happened.",
                    },
                },
            },
        },
    }


SUBMITTED = _webhook(EventType.SUBMITTED)
PENDING_APPROVAL = _webhook(EventType.PENDING_APPROVAL)
APPROVED = _webhook(EventType.APPROVED)
FUNDED = _webhook(EventType.FUNDED)
DECLINED = _webhook(EventType.DECLINED)
WITHDRAWN = _webhook(EventType.WITHDRAWN)
EXPIRED = _webhook(EventType.EXPIRED)
