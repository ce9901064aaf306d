"""Partners, the keys they call the API with, rate counters and idempotency keys."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from partners.throttling import Rate


def validate_rate(text: str) -> None:
    try:
        Rate.read(text)
    except ValueError as error:
        raise ValidationError(str(error)) from error


class Partner(models.Model):
    name = models.CharField(max_length=200, unique=True)
    is_active = models.BooleanField(default=True)
    rate_limit = models.CharField(
        max_length=20,
        blank=True,
        default="",
        db_default="",
        validators=[validate_rate],
        help_text="How often it may call the API, as in 600/min (s, min, hour or day). "
        "Empty: as often as any partner.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class PartnerKey(models.Model):
    """A bearer key. The key itself is shown once; only its SHA-256 is stored.

    A key is 256 random bits, so a plain hash is enough: there is nothing to guess.
    """

    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="keys")
    label = models.CharField(max_length=100, blank=True)
    prefix = models.CharField(max_length=12, editable=False, help_text="How the key begins.")
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, editable=False)
    # Who made it, and who asked for that where two people have to. Neither may decide what comes
    # by it. Both are empty for a command on the host.
    issued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
    )
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
    )
    # Many may replace one: a replacement that was revoked at once is followed by another.
    replaces = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, editable=False, related_name="rotated_to"
    )
    form_id = models.UUIDField(
        null=True,
        unique=True,
        editable=False,
        help_text="Of the form that it was issued with, so that one form issues one key.",
    )

    class Meta:
        ordering = ["partner", "-created_at"]

    def __str__(self) -> str:
        return f"{self.prefix}…"


class RateCounter(models.Model):
    """The used part of a caller's rate; a row whose time is over has no meaning.

    Not an index beside the key: nearly every call changes ``full_at``, and PostgreSQL then
    needs not touch any index. The table is unlogged there: a crash resets what was used up,
    and a call does not wait for the disk.
    """

    name = models.CharField(max_length=80, primary_key=True)  # as in partner/7
    full_at = models.BigIntegerField(help_text="Microseconds since 1970.")
    allowed = models.BooleanField(help_text="Whether the last call was let through.")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class IdempotencyKey(models.Model):
    """A caller's key: one POST, and its answer.

    The row is written and answered in the transaction that does the POST's work, so no
    committed row is without an answer. ``response_body`` may name an applicant: rows are
    kept for 24 hours, then the sweep deletes them.
    """

    caller = models.CharField(max_length=40, help_text="As in partner/7 or staff/3.")
    key = models.CharField(max_length=255)
    method = models.CharField(max_length=10)
    path = models.TextField()
    fingerprint = models.CharField(
        max_length=64, help_text="SHA-256 of the method, the path and the body."
    )
    response_status = models.PositiveSmallIntegerField(null=True)
    response_body = models.TextField(blank=True)
    response_headers = models.JSONField(default=dict, help_text="Those of the endpoint itself.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_by_age")]
        constraints = [
            models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_once")
        ]

    def __str__(self) -> str:
        return f"{self.caller}: {self.key}"
