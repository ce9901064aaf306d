"""Model of what staff write about an application for each other, append-only."""

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils import timezone

from applications.models.application import LoanApplication
from audit.models import AppendOnlyModel, AppendOnlyQuerySet


class ApplicationNote(AppendOnlyModel):
    """An internal note: what somebody wrote, as it was written, and whom it mentions.

    Partners, applicants and the API never see it. ``author_roles`` and the names in ``mentions``
    are those of that time; ``mentions`` is a list of ``{"user": 7, "name": "kim"}``.
    """

    application = models.ForeignKey(
        LoanApplication, on_delete=models.PROTECT, related_name="notes", db_index=False
    )
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    author_roles = models.TextField(blank=True)
    at = models.DateTimeField(default=timezone.now)
    text = models.TextField()
    mentions = models.JSONField(default=list, blank=True)

    objects = AppendOnlyQuerySet["ApplicationNote"].as_manager()

    class Meta:
        ordering = ["-id"]
        default_permissions = ("add",)
        indexes = [models.Index(F("application"), F("id").desc(), name="note_by_application")]

    def __str__(self) -> str:
        return f"{self.application}: note {self.pk}"

    @property
    def names(self) -> list[str]:
        """Return the user names that it mentions."""
        return [mention["name"] for mention in self.mentions]

    @property
    def notified(self) -> list[int]:
        """Return the people who hear of it: whom it mentions, without its author."""
        people = [mention["user"] for mention in self.mentions]
        return [person for person in people if person != self.author_id]
