"""A fraud vendor as somebody else would write one: it signs by hand and shares no code of ours."""

import base64
import hashlib
import hmac
import itertools
import json
import time
from typing import Any

from django.http import HttpResponse
from django.test import Client

from applications.models import ApplicationEvent

KEY = b"the vendor's key of thirty bytes"
OLD_KEY = b"the key before this one, as long"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OLD_SECRET = "whsec_" + base64.b64encode(OLD_KEY).decode()

PASSED = {"type": "answer", "verdict": "passed"}
FLAGGED = {"type": "answer", "verdict": "flagged"}
HEARTBEAT = {"type": "heartbeat"}
FAILURE = {"type": "failure", "message": "Our list provider is down."}
BAD = {"type": "answer", "verdict": "perhaps"}

_numbers = itertools.count()


def new_id() -> str:
    return f"msg_{time.time_ns()}_{next(_numbers)}"


def sign(identifier: str, timestamp: int | str, body: bytes, key: bytes = KEY) -> str:
    signed = b".".join((identifier.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers(
    body: bytes,
    *,
    identifier: str | None = None,
    at: float | None = None,
    key: bytes = KEY,
) -> dict[str, str]:
    identifier = identifier or new_id()
    timestamp = int(time.time() if at is None else at)
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(identifier, timestamp, body, key),
    }


def send(
    path: str,
    said: Any,
    *,
    content_type: str = "application/json",
    client: Client | None = None,
    **signing: Any,
) -> HttpResponse:
    """POST what is said, signed; bytes leave as they are."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    response: HttpResponse = (client or Client(raise_request_exception=False)).generic(
        "POST", path, body, content_type=content_type, headers=headers(body, **signing)
    )
    return response


def problem(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """The problem that this answer is."""
    assert (response.status_code, response["Content-Type"]) == (
        status,
        "application/problem+json",
    ), response.content
    found: dict[str, Any] = response.json()
    assert found["type"] == f"/problems/{code}"
    assert found["status"] == status
    assert found["request_id"] == response["X-Request-Id"]
    assert response["Cache-Control"] == "no-store"
    return found


def accepted(response: HttpResponse) -> None:
    assert (response.status_code, response.content) == (202, b'{"status":"accepted"}')


def events(kind: str) -> list[str]:
    return list(ApplicationEvent.objects.filter(kind=kind).values_list("message", flat=True))
