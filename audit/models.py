"""Audit entries: one for everything that a person or a partner did or viewed; never changed.

And the seals over them and over the other tables that are registered in ``sealed_tables``. The
lowest package: it imports nothing of the product, and refers to objects by kind and key, so an
entry outlives its object.
"""

from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils import timezone


class Action(models.TextChoices):
    """The kind of action, coarse: the filter of the log. ``message`` has the details."""

    VIEWED = "viewed", "Viewed"
    REVEALED = "revealed", "Revealed"
    DOWNLOADED = "downloaded", "Downloaded"
    EXPORTED = "exported", "Exported"
    CREATED = "created", "Created"
    CHANGED = "changed", "Changed"
    DELETED = "deleted", "Deleted"
    SUBMITTED = "submitted", "Submitted"
    DECIDED = "decided", "Decided"
    WITHDRAWN = "withdrawn", "Withdrawn"
    CLAIMED = "claimed", "Claimed or released"
    OPERATED = "operated", "Operations"
    PUBLISHED = "published", "Published"
    PROPOSED = "proposed", "Proposed"
    CONFIRMED = "confirmed", "Proposal confirmed"
    REJECTED = "rejected", "Proposal closed"
    ISSUED = "issued", "Key issued"
    REVOKED = "revoked", "Revoked"
    SIGNED_IN = "signed_in", "Signed in"
    SIGN_IN_FAILED = "sign_in_failed", "Sign-in failed"
    LOCKED_OUT = "locked_out", "Locked out"
    UNLOCKED = "unlocked", "Lockout lifted"
    SIGNED_OUT = "signed_out", "Signed out"
    PASSWORD = "password", "Password changed"
    SECOND_FACTOR = "second_factor", "Second factor"
    STEPPED_UP = "stepped_up", "Identity confirmed"
    INVITED = "invited", "Invitation"


class AppendOnlyError(TypeError):
    """Something tried to change or delete an append-only row."""


class AppendOnlyQuerySet[M: models.Model](models.QuerySet[M]):
    """Refuse changes here too, which triggers refuse in the database."""

    def update(self, **kwargs: Any) -> NoReturn:  # noqa: ARG002
        raise AppendOnlyError("Kept lines are append-only: they are never changed.")

    def delete(self) -> NoReturn:
        raise AppendOnlyError("Kept lines are append-only: they are never deleted.")


class AppendOnlyModel(models.Model):
    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnlyError("Kept lines are append-only: they are never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:  # noqa: ARG002
        raise AppendOnlyError("Kept lines are append-only: they are never deleted.")


class AuditEntry(AppendOnlyModel):
    """An action of a person or partner: object, time, address, values before and after.

    ``who`` is a member of staff's username or a partner's name as it was then; ``actor`` is
    the account when somebody was signed in. ``reference`` is the application's that it
    belongs to, if any. ``changes`` is ``{"field": [before, after]}``, masked where a value is
    personal (see ``masking``); ``details`` holds what else there is to know.
    """

    at = models.DateTimeField(default=timezone.now)
    action = models.CharField(max_length=20, choices=Action.choices)
    message = models.TextField()
    # Without an index of its own: pages read by ``who``, and accounts that acted are never deleted.
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
    )
    who = models.CharField(max_length=200, blank=True)
    is_partner = models.BooleanField(default=False)
    object_kind = models.CharField("kind of object", max_length=60, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    object_name = models.CharField("object", max_length=200, blank=True)
    reference = models.CharField(max_length=20, blank=True)
    changes = models.JSONField(default=dict, blank=True)
    details = models.JSONField(default=dict, blank=True)
    address = models.GenericIPAddressField("client address", null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    request_id = models.CharField(max_length=128, blank=True)

    objects = AppendOnlyQuerySet["AuditEntry"].as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name = "audit entry"
        verbose_name_plural = "audit log entries"
        permissions = [("export_auditentry", "Can export the audit log")]
        default_permissions = ("view",)
        indexes = [
            models.Index(F("at").desc(), F("id").desc(), name="audit_newest"),
            models.Index(F("action"), F("at").desc(), F("id").desc(), name="audit_by_action"),
            models.Index(F("who"), F("at").desc(), F("id").desc(), name="audit_by_who"),
            models.Index(F("object_kind"), F("at").desc(), F("id").desc(), name="audit_by_kind"),
            models.Index(F("reference"), F("at").desc(), F("id").desc(), name="audit_by_reference"),
            models.Index(F("request_id"), name="audit_by_request"),
        ]

    def __str__(self) -> str:
        return self.message


class Seal(AppendOnlyModel):
    """A hash over the rows that were added since the seal before, and over that seal.

    ``document`` is the JSON text that ``hash`` (SHA-256) is the hash of. It holds the number, the
    time, the hash of the seal before, and for each sealed table the range of keys, the columns,
    the hash over the rows and a mark for each row. The copies outside hold the same text.
    """

    number = models.PositiveBigIntegerField(unique=True)
    at = models.DateTimeField(default=timezone.now)
    document = models.TextField()
    hash = models.CharField(max_length=64)

    objects = AppendOnlyQuerySet["Seal"].as_manager()

    class Meta:
        ordering = ["number"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"Seal {self.number}"


class SealVerification(AppendOnlyModel):
    """The result of one run of ``audit_verify``; ``finding`` is empty when nothing differed.

    ``seal`` is the number of the last seal that was verified, 0 when there is none yet.
    """

    at = models.DateTimeField(default=timezone.now)
    seal = models.PositiveBigIntegerField()
    rows = models.PositiveBigIntegerField()
    finding = models.TextField(blank=True)

    objects = AppendOnlyQuerySet["SealVerification"].as_manager()

    class Meta:
        ordering = ["-id"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.finding or f"Verified up to seal {self.seal}"


class SealingState(models.Model):
    """The state of sealing: one row, which every run of it reads and writes.

    ``bounds`` are the highest keys that the next seal may close, once the transactions in
    ``writers`` have ended (see ``commit_horizon``). Seals up to number ``copied`` have a copy.
    """

    bounds = models.JSONField(default=dict)
    writers = models.JSONField(default=list)
    copied = models.PositiveBigIntegerField(default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"Copied up to seal {self.copied}"
