"""The URLs at which the fraud vendor answers: one opaque token for each pending callback.

The callback id is a credential of the engine and is never sent out. A token is made from
it with the vendor's secret, so that a request which is sent again names the same URL; only the
hash of the token is stored. Writes rows; no HTTP, no provider.
"""

import base64
import hashlib
import hmac
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from core.locking import locked
from core.site_urls import site_url
from workflows.callbacks.signatures import secret_of
from workflows.models import CallbackToken, PendingCallback

PREFIX = "/callbacks/"
PURPOSE = b"loan office callback token 1 "


class CallbackURL(NamedTuple):
    """The URL of one callback, the name it is asked for under, and its deadline."""

    url: str
    name: str
    until: datetime


class Named(NamedTuple):
    """A callback that a token names, and the application that it belongs to."""

    callback: int
    callback_id: str
    reference: str


def vendor_secrets() -> list[bytes]:
    """Return the live secrets of the fraud vendor, the newest first; none without a vendor.

    Raises ``ValueError`` for one that cannot be used (a system check reports it at start), and
    ``ImproperlyConfigured`` in a function that has no secret of the vendor.
    """
    secrets: list[str] | None = settings.LOANOFFICE_FRAUD_VENDOR_SECRETS
    if secrets is None:
        raise ImproperlyConfigured(
            "LOANOFFICE_FRAUD_VENDOR_SECRET is not among the secrets of "
            f"{settings.LOANOFFICE_FUNCTION}."
        )
    return [secret_of(text) for text in secrets]


def token_of(secret: bytes, callback_id: str) -> str:
    """Make a token of 43 characters, which cannot be guessed without the secret and the id."""
    digest = hmac.digest(secret, PURPOSE + callback_id.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def hash_of(token: str) -> str:
    """Hash a token for storage. It is as random as a key, so one round of hashing is enough."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


@transaction.atomic
def callback_url_issue(*, callback_id: str) -> CallbackURL | None:
    """Issue a URL for this callback; ``None`` when it is no longer pending.

    A second call gives the same URL, also while the secret is rotated. Raises
    ``PendingCallback.DoesNotExist``.
    """
    callback = locked(PendingCallback.objects.select_related("execution")).get(
        callback_id=callback_id
    )
    if callback.status != PendingCallback.Status.OPEN:
        return None
    tokens = [token_of(secret, callback_id) for secret in vendor_secrets()]
    known = set(callback.tokens.values_list("token_hash", flat=True))
    token = next((token for token in tokens if hash_of(token) in known), tokens[0])
    if hash_of(token) not in known:
        CallbackToken.objects.create(callback=callback, token_hash=hash_of(token))
    return CallbackURL(
        url=site_url(f"{PREFIX}{token}/"),
        name=f"{callback.execution.name}-{callback.name}",
        until=callback.expires_at,
    )


def named_by(token: str) -> Named | None:
    """Return the callback that a token names, open or not."""
    row = (
        CallbackToken.objects.filter(token_hash=hash_of(token))
        .values_list(
            "callback", "callback__callback_id", "callback__execution__application__reference"
        )
        .first()
    )
    if row is None:
        return None
    return Named(callback=int(row[0]), callback_id=row[1], reference=row[2])
