"""The timeline and the audit trail: append-only."""

from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.utils import timezone

from applications.models.loan import LoanApplication
from applications.models.partners import Partner
from applications.vocabulary import Level, Step


class AppendOnlyError(TypeError):
    """Raised when something tries to change or delete a line of the audit trail."""


class AppendOnlyQuerySet(models.QuerySet["ApplicationEvent"]):
    def update(self, **kwargs: Any) -> NoReturn:  # noqa: ARG002
        raise AppendOnlyError("Events are append-only: they are never changed.")

    def delete(self) -> NoReturn:
        raise AppendOnlyError("Events are append-only: they are never deleted.")


class ApplicationEvent(models.Model):
    """One line: what happened to an application, when, and who did it.

    ``message`` is written for the partner and the applicant too, so it never names
    staff; ``actor`` does. ``key`` makes a replayed step's line the same line.
    """

    application = models.ForeignKey(
        LoanApplication, on_delete=models.PROTECT, related_name="events"
    )
    at = models.DateTimeField(default=timezone.now)
    step = models.CharField(max_length=20, choices=Step.choices, blank=True)
    level = models.CharField(max_length=10, choices=Level.choices, default=Level.INFO)
    kind = models.CharField(max_length=40)
    message = models.TextField()
    is_internal = models.BooleanField(default=False, help_text="Shown to staff only.")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, null=True, related_name="+")
    request_id = models.CharField(max_length=128, blank=True)
    data = models.JSONField(default=dict, blank=True)
    key = models.CharField(max_length=128, unique=True, null=True, editable=False)  # noqa: DJ001

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["application", "id"], name="event_by_application")]

    def __str__(self) -> str:
        return self.message

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnlyError("Events are append-only: they are never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:  # noqa: ARG002
        raise AppendOnlyError("Events are append-only: they are never deleted.")
