"""Partners' keys: issue, revoke, recognise."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from applications.models import Partner, PartnerKey
from audit.models import Action
from audit.services import entry_record

SCOPES = ("applications:read", "applications:write", "offers:write", "documents:write")
KEY_PREFIX = "lo_"
# The last-used time is for people, who need days: one write a minute is plenty.
LAST_USED_RESOLUTION = timedelta(minutes=1)


def key_hash(key: str) -> str:
    """SHA-256 of a key, in hex. Keys are random enough to need no salt or stretching."""
    return hashlib.sha256(key.encode()).hexdigest()


@transaction.atomic
def partner_key_issue(
    *,
    partner: Partner,
    by: User | None = None,
    label: str = "",
    scopes: tuple[str, ...] = SCOPES,
    expires_at: datetime | None = None,
    key: str | None = None,
) -> tuple[PartnerKey, str]:
    """Make a key; returns its row and the key itself, which is never to be had again.

    ``by`` is who made it, ``None`` for a command. ``key`` is for the demo, whose key is well
    known. Raises ``ValueError`` for an unknown scope.
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
    entry_record(
        action=Action.ISSUED,
        message=f"A key for {partner} was issued: {row}",
        actor=by,
        target=row,
        changes={"scopes": (None, scopes), "expires_at": (None, expires_at)},
        details={"partner": partner.name, "label": label},
    )
    return row, key


@transaction.atomic
def partner_key_revoke(*, partner_key: PartnerKey, by: User | None = None) -> None:
    """From now on the key is refused. Doing it again changes nothing."""
    now = timezone.now()
    if PartnerKey.objects.filter(pk=partner_key.pk, revoked_at__isnull=True).update(revoked_at=now):
        entry_record(
            action=Action.REVOKED,
            message=f"A key of {partner_key.partner} was revoked: {partner_key}",
            actor=by,
            target=partner_key,
            changes={"revoked_at": (None, now)},
            details={"partner": partner_key.partner.name},
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
