"""Refuse requests that no client of the engine sends: foreign ones, and unsigned ones.

A web page that somebody opens can reach a port of their machine. Its requests carry an ``Origin``,
or a ``Host`` that is no address of this machine, or a content type that a form can send.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from functions.local.credentials import Credentials
from functions.local.errors import ApiError

HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
CONTENT_TYPES = frozenset({"application/json", "application/octet-stream"})
# AWS's own tolerance between the clocks of client and service.
CLOCK_SKEW = timedelta(minutes=5)
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/, ]+)/(?P<date>\d{8})/(?P<region>[\w-]+)"
    r"/(?P<service>[\w-]+)/aws4_request, ?SignedHeaders=(?P<signed>[\w;-]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
SIGNED = frozenset({"host", "x-amz-date"})


def check_sender(headers: Mapping[str, str]) -> None:
    """Raise ``ApiError`` (403) for a request to a foreign host, or from a web page."""
    host = urlsplit(f"//{headers.get('host', '')}").hostname
    if host not in HOSTS:
        raise ApiError(403, "AccessDeniedException", "The Host is no address of this machine.")
    if "origin" in headers:
        raise ApiError(403, "AccessDeniedException", "Requests of a web page are refused.")


def check_content_type(headers: Mapping[str, str]) -> None:
    """Raise ``ApiError`` (415) for a content type that no client of Lambda sends.

    boto3 sends none with a payload; a form always sends one.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and kind not in CONTENT_TYPES:
        expected = " or ".join(sorted(CONTENT_TYPES))
        raise ApiError(
            415, "UnsupportedMediaTypeException", f"The Content-Type has to be {expected}."
        )


def check_signature(
    *, method: str, target: str, headers: Mapping[str, str], body: bytes, credentials: Credentials
) -> None:
    """Raise ``ApiError`` (403) unless the request is signed with these credentials, and now.

    ``target`` is the path and the query as they were sent; header names are in lower case. The
    signature is version 4 of AWS (docs.aws.amazon.com/IAM, "Signature Version 4"), which
    botocore computes again from what was received.
    """
    found = AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if found is None:
        raise ApiError(
            403, "MissingAuthenticationTokenException", "The request is not signed (version 4)."
        )
    names = set(found["signed"].split(";"))
    sent = headers.get("x-amz-date", "")
    if not SIGNED <= names <= headers.keys() or not _is_now(sent):
        raise _invalid("Its time is over, or it leaves out the host or the date.")
    checksum = headers.get("x-amz-content-sha256")
    if checksum is not None and checksum != hashlib.sha256(body).hexdigest():
        raise _invalid("It is of another body.")
    request = AWSRequest(
        method=method,
        url=f"http://{headers['host']}{target}",
        headers={name: headers[name] for name in names},
        data=body,
    )
    request.context["timestamp"] = sent
    auth = SigV4Auth(
        BotocoreCredentials(credentials.access_key, credentials.secret_key),
        found["service"],
        found["region"],
    )
    expected = auth.signature(
        auth.string_to_sign(request, auth.canonical_request(request)), request
    )
    is_same = hmac.compare_digest(expected, found["signature"])
    if not is_same or found["key"] != credentials.access_key:
        raise _invalid("It was made with other credentials, or for another request.")


def _is_now(sent: str) -> bool:
    try:
        at = datetime.strptime(sent, SIGV4_TIMESTAMP).replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(datetime.now(UTC) - at) <= CLOCK_SKEW


def _invalid(reason: str) -> ApiError:
    return ApiError(403, "InvalidSignatureException", f"The signature is refused. {reason}")
