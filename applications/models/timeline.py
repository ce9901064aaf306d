"""Model of an application's timeline, append-only like the audit log."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from applications.choices import Level, Step
from applications.models.application import LoanApplication
from audit.models import AppendOnlyError, AppendOnlyModel, AppendOnlyQuerySet
from partners.models import Partner

__all__ = ["AppendOnlyError", "ApplicationEvent"]


class ApplicationEvent(AppendOnlyModel):
    """A timeline entry: what happened to an application, when, and who did it.

    ``message`` is also read by the partner and the applicant, so it never names staff;
    ``actor`` does. ``key`` is unique, so that a step that runs again adds no second entry.
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

    objects = AppendOnlyQuerySet["ApplicationEvent"].as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["application", "id"], name="event_by_application")]

    def __str__(self) -> str:
        return self.message
