"""Partner keys: issue, rotate, change the expiry, revoke, recognise."""

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet, Subquery, Value
from django.utils import timezone

from audit.models import Action
from audit.services import entry_record
from core.locking import locked
from partners.choices import KeyState, Scope
from partners.errors import InvalidExpiry, KeyIssuedAlready, KeyNotLive, KeyReplacedAlready
from partners.models import Partner, PartnerKey, RateCounter
from partners.services import throttling
from partners.throttling import Verdict

SCOPES = tuple(Scope.values)
KEY_PREFIX = "lo_"
PREFIX_LENGTH = 8
# The last-used time is for people, who need days: one write a minute is plenty.
LAST_USED_RESOLUTION = timedelta(minutes=1)
# The overlap of a rotation, if none is given: the old key is valid for this much longer.
OVERLAP = timedelta(hours=24)
SOON = timedelta(days=14)


@dataclass(frozen=True)
class Admission:
    """The key and its partner, ``None`` for an unknown key, and the verdict of the rate limit."""

    key: PartnerKey | None
    verdict: Verdict | None


def key_hash(key: str) -> str:
    """Hash a key with SHA-256, in hex. Keys are random enough to need no salt or stretching."""
    return hashlib.sha256(key.encode()).hexdigest()


def may_write(scopes: Iterable[str]) -> bool:
    """Return true when a key with these scopes may change anything."""
    return any(not scope.endswith(":read") for scope in scopes)


def expiring(*, now: datetime) -> Q:
    """Return a filter of the keys whose state is ``KeyState.EXPIRES_SOON``."""
    return Q(revoked_at=None, expires_at__gt=now, expires_at__lte=now + SOON)


def key_state(key: PartnerKey, *, now: datetime) -> KeyState:
    if key.revoked_at is not None:
        return KeyState.REVOKED
    if key.expires_at is None:
        return KeyState.LIVE
    if key.expires_at <= now:
        return KeyState.EXPIRED
    return KeyState.EXPIRES_SOON if key.expires_at - now <= SOON else KeyState.LIVE


def is_live(key: PartnerKey, *, now: datetime) -> bool:
    """Return true when the key itself is neither expired nor revoked."""
    return key_state(key, now=now) in {KeyState.LIVE, KeyState.EXPIRES_SOON}


@transaction.atomic
def partner_key_issue(
    *,
    partner: Partner,
    by: User | None = None,
    proposed_by: User | None = None,
    label: str = "",
    scopes: tuple[str, ...] = SCOPES,
    expires_at: datetime | None = None,
    key: str | None = None,
    form_id: UUID | None = None,
    details: Mapping[str, object] | None = None,
) -> tuple[PartnerKey, str]:
    """Issue a key; return its row and the key itself, which is not stored.

    Pages and commands call ``partners.proposals``, which asks for a second person where a key
    may write; what that is about is in ``details`` of the audit entry.

    ``by`` is who made it, ``None`` for a command; ``proposed_by`` is who asked for it, if
    somebody else did. ``key`` is for the demo, whose key is well
    known. ``form_id`` names the form that was filled in: one form issues one key, however
    often it is sent. Raises ``KeyIssuedAlready``, and ``ValueError`` for an unknown scope.
    """
    if form_id is not None:
        locked(Partner.objects.all()).get(pk=partner.pk)  # so that two do not both find none
    issue_check(scopes=scopes, form_id=form_id)
    row, key = _make(
        PartnerKey(
            partner=partner,
            label=label,
            scopes=list(scopes),
            expires_at=expires_at,
            form_id=form_id,
            issued_by=by,
            proposed_by=proposed_by,
        ),
        key,
    )
    entry_record(
        action=Action.ISSUED,
        message=f"A key for {partner} was issued: {row}",
        actor=by,
        target=row,
        changes={"scopes": (None, scopes), "expires_at": (None, expires_at)},
        details={"partner": partner.name, "label": label, **(details or {})},
    )
    return row, key


def issue_check(*, scopes: Sequence[str], form_id: UUID | None) -> None:
    """Raise ``KeyIssuedAlready`` for a form that issued one, ``ValueError`` for unknown scopes."""
    unknown = set(scopes) - set(SCOPES)
    if unknown:
        raise ValueError(f"unknown scopes: {', '.join(sorted(unknown))}")
    if form_id is None:
        return
    earlier = PartnerKey.objects.filter(form_id=form_id).first()
    if earlier is not None:
        raise KeyIssuedAlready(key=str(earlier), at=earlier.created_at)


@transaction.atomic
def partner_key_rotate(
    *,
    partner_key: PartnerKey,
    by: User | None = None,
    proposed_by: User | None = None,
    overlap: timedelta = OVERLAP,
    details: Mapping[str, object] | None = None,
) -> tuple[PartnerKey, str]:
    """Issue a key that replaces this one; this one expires after ``overlap``, or before.

    The new one has the same scopes and label, and lives as long as this one was meant to, from
    now on. Returns its row and the key itself. ``overlap`` may be zero: then only the new one
    is valid. Raises ``KeyNotLive`` and, while a replacement is live, ``KeyReplacedAlready``: so a
    form that is sent twice makes one key.
    """
    old = locked(PartnerKey.objects.select_related("partner")).get(pk=partner_key.pk)
    now = timezone.now()
    rotate_check(partner_key=old)
    lifetime = None if old.expires_at is None else old.expires_at - old.created_at
    row, key = _make(
        PartnerKey(
            partner=old.partner,
            label=old.label,
            scopes=old.scopes,
            expires_at=None if lifetime is None else now + lifetime,
            replaces=old,
            issued_by=by,
            proposed_by=proposed_by,
        )
    )
    entry_record(
        action=Action.ISSUED,
        message=f"A key for {old.partner} was rotated: {row} takes the place of {old}",
        actor=by,
        target=row,
        changes={"scopes": (None, row.scopes), "expires_at": (None, row.expires_at)},
        details={
            "partner": old.partner.name,
            "label": row.label,
            "replaces": str(old),
            **(details or {}),
        },
    )
    ends = now + overlap
    if old.expires_at is None or ends < old.expires_at:
        _set_expiry(old, ends, by)
    return row, key


def rotate_check(*, partner_key: PartnerKey) -> None:
    """Raise ``KeyNotLive``, or ``KeyReplacedAlready`` while a replacement is live."""
    now = timezone.now()
    _check_live(partner_key, now)
    for successor in partner_key.rotated_to.all():
        if is_live(successor, now=now):
            raise KeyReplacedAlready(
                key=str(partner_key), by=str(successor), at=successor.created_at
            )


@transaction.atomic
def partner_key_expire(
    *, partner_key: PartnerKey, expires_at: datetime | None, by: User | None = None
) -> None:
    """Change the expiry of a live key; ``None``: never.

    Raises ``KeyNotLive``: an expired or revoked key does not become valid again. Raises
    ``InvalidExpiry`` for a moment in the past; a key that has to end now is revoked.
    """
    row = locked(PartnerKey.objects.select_related("partner")).get(pk=partner_key.pk)
    now = timezone.now()
    _check_live(row, now)
    if expires_at is not None and expires_at <= now:
        raise InvalidExpiry
    if expires_at != row.expires_at:
        _set_expiry(row, expires_at, by)


@transaction.atomic
def partner_key_revoke(*, partner_key: PartnerKey, by: User | None = None) -> None:
    """Revoke a key. Doing it again changes nothing."""
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
    """Return the live key with its partner; ``None`` for any other string."""
    now = timezone.now()
    row = _with_hash_of(key).first()
    if row is None or not _opens(row, now):
        return None
    _note_use(row, now)
    return row


def partner_key_admit(*, key: str, address: str) -> Admission:
    """Recognise a key from this address, and count the call.

    Unknown keys are counted by address: after too many of them every key from there is
    refused for a while, a good one as well, because otherwise further attempts would still show
    which is good. A key that was good once is no guess: it is counted by itself, so that an old
    program locks out nothing but itself. Where the address is not known, everybody would share
    its count, and good keys are admitted.
    """
    now = timezone.now()
    bad = throttling.bad_key_rate()
    guesser = throttling.address_counter(address)
    rows = _with_hash_of(key)
    if bad is not None and address:
        counted = RateCounter.objects.filter(name=Value(guesser)).values("full_at")
        rows = rows.annotate(guessed=Subquery(counted[:1]))
    row = rows.first() if key.isascii() and key.isprintable() else None
    if row is None or not _opens(row, now):
        if bad is None:
            return Admission(None, None)
        name = guesser if row is None else throttling.key_counter(row)
        return Admission(None, throttling.call_count(name=name, rate=bad))
    guessed = cast("int | None", getattr(row, "guessed", None))
    if bad is not None and guessed is not None:
        guesses = throttling.peek(rate=bad, full_at=guessed, now=now)
        if not guesses.allowed:
            return Admission(None, guesses)
    rate = throttling.rate_of(row.partner)
    if rate is None:
        verdict = None
    else:
        name = throttling.partner_counter(row.partner)
        verdict = throttling.call_count(name=name, rate=rate)
    _note_use(row, now)
    return Admission(row, verdict)


def _with_hash_of(key: str) -> "QuerySet[PartnerKey]":
    return PartnerKey.objects.select_related("partner").filter(key_hash=key_hash(key))


def _opens(row: PartnerKey, now: datetime) -> bool:
    return row.partner.is_active and is_live(row, now=now)


def _note_use(row: PartnerKey, now: datetime) -> None:
    if row.last_used_at is None or now - row.last_used_at > LAST_USED_RESOLUTION:
        PartnerKey.objects.filter(pk=row.pk).update(last_used_at=now)


def _check_live(row: PartnerKey, now: datetime) -> None:
    if not is_live(row, now=now):
        raise KeyNotLive(key=str(row), state=key_state(row, now=now))


def _make(row: PartnerKey, key: str | None = None) -> tuple[PartnerKey, str]:
    """Store a row for ``key``, or for one that is made here."""
    key = key or KEY_PREFIX + secrets.token_urlsafe(32)
    row.prefix, row.key_hash = key[:PREFIX_LENGTH], key_hash(key)
    row.save(force_insert=True)
    return row, key


def _set_expiry(row: PartnerKey, expires_at: datetime | None, by: User | None) -> None:
    was, row.expires_at = row.expires_at, expires_at
    row.save(update_fields=["expires_at"])
    entry_record(
        action=Action.CHANGED,
        message=f"A key of {row.partner} expires at another time: {row}",
        actor=by,
        target=row,
        changes={"expires_at": (was, expires_at)},
        details={"partner": row.partner.name},
    )
