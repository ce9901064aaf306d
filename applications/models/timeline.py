"""Model of an application's timeline, append-only like the audit log."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from applications.choices import Level, Step
from applications.models.application import LoanApplication
from audit.models import AppendOnlyError, AppendOnlyModel, AppendOnlyQuerySet
from partners.models import Partner, PartnerKey

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
    partner_key = models.ForeignKey(
        PartnerKey,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        help_text="The key of the partner's request.",
    )
    request_id = models.CharField(max_length=128, blank=True)
    data = models.JSONField(default=dict, blank=True)
    key = models.CharField(max_length=128, unique=True, null=True, editable=False)  # noqa: DJ001

    objects = AppendOnlyQuerySet["ApplicationEvent"].as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["application", "id"], name="event_by_application"),
            # For four eyes, over many open tasks: who worked on an application, in person or by
            # a key that they made.
            models.Index(
                fields=["application", "actor", "kind"],
                condition=Q(actor__isnull=False),
                name="event_by_contributor",
            ),
            models.Index(
                fields=["application", "partner_key", "kind"],
                condition=Q(partner_key__isnull=False),
                name="event_by_partner_key",
            ),
        ]

    def __str__(self) -> str:
        return self.message
