"""Create, rotate, disable and enable a partner's webhook endpoints and their secrets.

A new secret is returned and shown once; the audit log and messages never have it.
"""

import base64
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from audit.models import Action
from audit.services import Changes, entry_record
from core.errors import InvalidFields, NotPermitted
from core.locking import locked
from partners.models import Partner
from webhooks.choices import EventType
from webhooks.models import WebhookEndpoint
from webhooks.url_safety import AddressRefusedError, entry_check

ADD = "webhooks.add_webhookendpoint"
CHANGE = "webhooks.change_webhookendpoint"
SECRET_PREFIX = "whsec_"  # noqa: S105 - how Standard Webhooks says that it is one
SECRET_BYTES = 32
BOTH_SIGN = timedelta(hours=24)
LONGEST_BOTH_SIGN = timedelta(days=30)
LONGEST_REASON = 200


class InvalidEndpoint(InvalidFields):
    """Field errors of an endpoint that is not kept."""

    code = "invalid-endpoint"
    title = "The endpoint is not valid"


def secret_make() -> str:
    """Make a secret: ``whsec_`` and 32 random bytes in base64 (the specification: 24 to 64)."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def endpoint_create(
    *,
    partner: Partner,
    url: str,
    event_types: list[str] | None = None,
    by: User | None = None,
    checked: bool = False,
) -> tuple[WebhookEndpoint, str]:
    """Create an endpoint; return it and its secret, which is shown this once.

    Without ``event_types`` it receives all types. ``by`` is who made it, ``None`` for a
    command. The URL's host is looked up, so call it outside of a transaction, unless
    ``endpoint_check`` has passed before (``checked``). Raises ``InvalidEndpoint``,
    ``NotPermitted``.
    """
    if not checked:
        endpoint_check(url=url, event_types=event_types, by=by)
    _require(by, ADD)
    types = sorted(set(event_types or []))
    secret = secret_make()
    with transaction.atomic():
        endpoint = WebhookEndpoint.objects.create(
            partner=partner, url=url, event_types=types, secret=secret
        )
        _note(
            endpoint,
            by,
            Action.CREATED,
            f"A webhook endpoint of {partner} was added: {url}",
            changes={"url": (None, url), "event_types": (None, types)},
        )
    return endpoint, secret


def endpoint_check(
    *, url: str, event_types: list[str] | None = None, by: User | None = None
) -> None:
    """Raise the reason why there can be no such endpoint; looks the URL's host up."""
    _require(by, ADD)
    errors: dict[str, list[str]] = {}
    types = sorted(set(event_types or []))
    if unknown := [type_ for type_ in types if type_ not in EventType.values]:
        errors["event_types"] = [f"There is no such type: {', '.join(unknown)}."]
    try:
        entry_check(url)
    except AddressRefusedError as refused:
        errors["url"] = [f"Enter another URL: {refused}."]
    if errors:
        raise InvalidEndpoint(errors)


@transaction.atomic
def endpoint_rotate(
    *, endpoint: WebhookEndpoint, by: User | None = None, until: datetime | None = None
) -> str:
    """Make a new secret and return it; the previous one signs as well until ``until``.

    The default is a day; a time in the past ends it at once. Raises
    ``InvalidEndpoint`` for a time too far away, ``NotPermitted``.
    """
    _require(by, CHANGE)
    now = timezone.now()
    until = now + BOTH_SIGN if until is None else until
    if until > now + LONGEST_BOTH_SIGN:
        days = LONGEST_BOTH_SIGN.days
        raise InvalidEndpoint({"until": [f"Enter a time within the next {days} days."]})
    row = locked(WebhookEndpoint.objects.all()).get(pk=endpoint.pk)
    both = until > now
    row.previous_secret, row.secret = row.secret if both else "", secret_make()
    row.previous_until = until if both else None
    row.save(update_fields=["previous_secret", "secret", "previous_until"])
    _note(
        row,
        by,
        Action.ISSUED,
        f"A new signing secret was made for the webhook endpoint {row.url}",
        details={"previous_signs_until": row.previous_until},
    )
    return row.secret


@transaction.atomic
def endpoint_disable(*, endpoint: WebhookEndpoint, why: str, by: User | None = None) -> bool:
    """Disable an endpoint; return false when it was disabled already.

    ``by`` is ``None`` when the endpoint itself asked for it. Raises ``InvalidEndpoint`` without
    a reason, ``NotPermitted``.
    """
    _require(by, CHANGE)
    why = _reason(why)
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk, status=WebhookEndpoint.Status.ACTIVE)
    done = rows.update(
        status=WebhookEndpoint.Status.DISABLED, disabled_at=timezone.now(), disabled_why=why
    )
    if done:
        _note(
            endpoint,
            by,
            Action.CHANGED,
            f"The webhook endpoint {endpoint.url} was disabled: {why}",
            changes={"status": ("active", "disabled")},
        )
    return bool(done)


@transaction.atomic
def endpoint_enable(*, endpoint: WebhookEndpoint, why: str = "", by: User | None = None) -> bool:
    """Enable an endpoint for events from now on; return false when it was active already.

    Raises ``NotPermitted``; with ``by`` also ``InvalidEndpoint`` without a reason.
    """
    _require(by, CHANGE)
    why = _reason(why) if by is not None else why
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk, status=WebhookEndpoint.Status.DISABLED)
    done = rows.update(status=WebhookEndpoint.Status.ACTIVE, disabled_at=None, disabled_why="")
    if done:
        _note(
            endpoint,
            by,
            Action.CHANGED,
            f"The webhook endpoint {endpoint.url} was enabled: {why}".removesuffix(": "),
            changes={"status": ("disabled", "active")},
        )
    return bool(done)


def secrets_forget(*, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` secrets that no longer sign; return how many. For the sweep."""
    over = WebhookEndpoint.objects.filter(previous_until__lte=now)
    found = list(over.values_list("pk", flat=True)[:limit])
    if not found:  # a read without a lock: mostly there is nothing to delete
        return 0
    return over.filter(pk__in=found).update(previous_secret="", previous_until=None)


def _require(by: User | None, permission: str) -> None:
    if by is not None and not by.has_perm(permission):
        raise NotPermitted("Only an administrator sets up webhook endpoints.")


def _reason(why: str) -> str:
    why = why.strip()
    if not why:
        raise InvalidEndpoint({"reason": ["Say why."]})
    if len(why) > LONGEST_REASON:
        raise InvalidEndpoint({"reason": [f"Say it in at most {LONGEST_REASON} characters."]})
    return why


def _note(
    endpoint: WebhookEndpoint,
    by: User | None,
    action: Action,
    message: str,
    *,
    changes: Changes | None = None,
    details: Mapping[str, object] | None = None,
) -> None:
    """Record it in the audit log; without an actor when the endpoint's own answer did it."""
    entry_record(
        action=action,
        message=message,
        actor=by,
        target=endpoint,
        changes=changes,
        details={"partner": endpoint.partner.name, **(details or {})},
    )
