"""Sign and verify requests by Standard Webhooks, with HMAC-SHA256. Pure.

The signed text is ``<id>.<timestamp>.<body>``; the headers are ``webhook-id``,
``webhook-timestamp`` (seconds since 1970) and ``webhook-signature``: one or more
``v1,<base64>``, separated by spaces. Source: the Standard Webhooks specification 1.0.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
TOLERANCE = timedelta(minutes=5)  # before and after our clock
PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64  # bytes of a secret
MOST_SIGNATURES = 8  # of one request; further ones are ignored
# A full stop separates the parts of the signed text, so an identifier has none.
IDENTIFIER = re.compile(r"[!-\-/-~]{1,255}")
SECONDS = re.compile(r"[0-9]{1,12}")


class SignatureRefused(Exception):
    """No known secret has signed this request, or not within the window; the message says which."""


def secret_of(text: str) -> bytes:
    """Decode a secret in the form ``whsec_<base64>``. Raises ``ValueError``."""
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except ValueError as error:
        raise ValueError("it is not base64") from error
    if not SHORTEST <= len(secret) <= LONGEST:
        raise ValueError(f"it has {len(secret)} bytes, not {SHORTEST} to {LONGEST}")
    return secret


def signature(secret: bytes, *, identifier: str, timestamp: str, body: bytes) -> str:
    """Compute one signature in the form that the header has."""
    signed = f"{identifier}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def headers_of(
    secrets: Sequence[bytes], *, identifier: str, at: datetime, body: bytes
) -> dict[str, str]:
    """Build the three headers of a request that we send, with one signature for each secret."""
    timestamp = str(int(at.timestamp()))
    return {
        ID: identifier,
        TIMESTAMP: timestamp,
        SIGNATURE: " ".join(
            signature(secret, identifier=identifier, timestamp=timestamp, body=body)
            for secret in secrets
        ),
    }


def verify(
    secrets: Sequence[bytes], *, headers: Mapping[str, str], body: bytes, now: datetime
) -> str:
    """Return the identifier of a request that one of the secrets signed within the window.

    Raises ``SignatureRefused``. Takes the same time whichever secret or signature matches, and
    reports on the timestamp only to a caller whose signature is right.
    """
    identifier, timestamp = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    given = [
        each.encode("utf-8", "replace")
        for each in headers.get(SIGNATURE, "").split(" ", MOST_SIGNATURES)[:MOST_SIGNATURES]
    ]
    matches = 0
    for secret in secrets:
        right = signature(secret, identifier=identifier, timestamp=timestamp, body=body).encode()
        for each in given:
            matches += hmac.compare_digest(right, each)
    if not matches:
        raise SignatureRefused(
            f'No signature of this request is right. Sign "<{ID}>.<{TIMESTAMP}>.<body>" and send '
            f"the body to the byte."
        )
    if not IDENTIFIER.fullmatch(identifier):
        raise SignatureRefused(f"{ID} has 1 to 255 printable ASCII characters, no full stop.")
    if not SECONDS.fullmatch(timestamp):
        raise SignatureRefused(f"{TIMESTAMP} is whole seconds since 1970.")
    if abs(now - datetime.fromtimestamp(int(timestamp), UTC)) > TOLERANCE:
        raise SignatureRefused(
            f"{TIMESTAMP} is more than five minutes from our clock, which says "
            f"{int(now.timestamp())}. Sign each try anew."
        )
    return identifier
