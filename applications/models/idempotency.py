"""The answers that POSTs got, so that one which is sent again is answered and not done again."""

from django.db import models
from django.utils import timezone


class IdempotencyKey(models.Model):
    """What a caller's key stands for: one POST, and the answer that it got.

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
