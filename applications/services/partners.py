"""Partners' keys: issue, revoke, recognise."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.utils import timezone

from applications.models import Partner, PartnerKey

SCOPES = ("applications:read", "applications:write", "offers:write", "documents:write")
KEY_PREFIX = "lo_"
# The last-used time is for people, who need days: one write a minute is plenty.
LAST_USED_RESOLUTION = timedelta(minutes=1)


def key_hash(key: str) -> str:
    """SHA-256 of a key, in hex. Keys are random enough to need no salt or stretching."""
    return hashlib.sha256(key.encode()).hexdigest()


def partner_key_issue(
    *,
    partner: Partner,
    label: str = "",
    scopes: tuple[str, ...] = SCOPES,
    expires_at: datetime | None = None,
    key: str | None = None,
) -> tuple[PartnerKey, str]:
    """Make a key; returns its row and the key itself, which is never to be had again.

    ``key`` is for the demo, whose key is well known. Raises ``ValueError`` for an
    unknown scope.
    """
    unknown = set(scopes) - set(SCOPES)
    if unknown:
        raise ValueError(f"unknown scopes: {', '.join(sorted(unknown))}")
    key = key or KEY_PREFIX + secrets.token_urlsafe(32)
    row = PartnerKey.objects.create(
        partner=partner,
        label=label,
        prefix=key[:8],
        key_hash=key_hash(key),
        scopes=list(scopes),
        expires_at=expires_at,
    )
    return row, key


def partner_key_revoke(*, partner_key: PartnerKey) -> None:
    """From now on the key is refused. Doing it again changes nothing."""
    PartnerKey.objects.filter(pk=partner_key.pk, revoked_at__isnull=True).update(
        revoked_at=timezone.now()
    )


def partner_key_recognise(key: str) -> PartnerKey | None:
    """The live key that this is, with its partner; ``None`` for any other string."""
    row = (
        PartnerKey.objects.select_related("partner")
        .filter(key_hash=key_hash(key), revoked_at__isnull=True, partner__is_active=True)
        .first()
    )
    now = timezone.now()
    if row is None or (row.expires_at is not None and row.expires_at <= now):
        return None
    if row.last_used_at is None or now - row.last_used_at > LAST_USED_RESOLUTION:
        PartnerKey.objects.filter(pk=row.pk).update(last_used_at=now)
    return row
