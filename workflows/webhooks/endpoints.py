"""A partner's endpoints and their secrets: made, rotated, disabled, enabled."""

import base64
import secrets
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from applications.errors import ApplicationsError
from applications.models import Partner
from workflows.models import WebhookEndpoint
from workflows.webhooks.address import AddressRefusedError, url_check
from workflows.webhooks.vocabulary import EventType

SECRET_PREFIX = "whsec_"  # noqa: S105 - how Standard Webhooks says that it is one
SECRET_BYTES = 32
BOTH_SIGN = timedelta(hours=24)


class InvalidEndpoint(ApplicationsError):
    """Field errors: ``errors`` maps a field's name to its sentences."""

    code = "invalid-endpoint"
    title = "The endpoint is not valid"
    http_status = 400

    def __init__(self, errors: dict[str, list[str]]) -> None:
        self.errors = errors
        super().__init__(" ".join(" ".join(said) for said in errors.values()))


def secret_make() -> str:
    """``whsec_`` and 32 random bytes in base64 (the specification: 24 to 64)."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def endpoint_create(
    *, partner: Partner, url: str, event_types: list[str] | None = None
) -> tuple[WebhookEndpoint, str]:
    """Make an endpoint; returns it and its secret, which is shown this once.

    Without ``event_types`` it is told of everything. Raises ``InvalidEndpoint``.
    """
    errors: dict[str, list[str]] = {}
    unknown = sorted(set(event_types or []) - set(EventType.values))
    if unknown:
        errors["event_types"] = [f"There is no such type: {', '.join(unknown)}."]
    try:
        url_check(url)
    except AddressRefusedError as refused:
        errors["url"] = [f"Enter another URL: {refused}."]
    if errors:
        raise InvalidEndpoint(errors)
    secret = secret_make()
    endpoint = WebhookEndpoint.objects.create(
        partner=partner, url=url, event_types=sorted(set(event_types or [])), secret=secret
    )
    return endpoint, secret


@transaction.atomic
def endpoint_rotate(*, endpoint: WebhookEndpoint) -> str:
    """Make a new secret and return it; for a day the one before signs as well."""
    row = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
    row.previous_secret, row.secret = row.secret, secret_make()
    row.previous_until = timezone.now() + BOTH_SIGN
    row.save(update_fields=["previous_secret", "secret", "previous_until"])
    return row.secret


def endpoint_disable(*, endpoint: WebhookEndpoint, why: str) -> bool:
    """Send nothing there any more; false when it was disabled already."""
    return bool(
        WebhookEndpoint.objects.filter(pk=endpoint.pk, status=WebhookEndpoint.Status.ACTIVE).update(
            status=WebhookEndpoint.Status.DISABLED, disabled_at=timezone.now(), disabled_why=why
        )
    )


def endpoint_enable(*, endpoint: WebhookEndpoint) -> bool:
    """Send there again what happens from now on; false when it was active already."""
    return bool(
        WebhookEndpoint.objects.filter(
            pk=endpoint.pk, status=WebhookEndpoint.Status.DISABLED
        ).update(status=WebhookEndpoint.Status.ACTIVE, disabled_at=None, disabled_why="")
    )
