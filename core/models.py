"""Models that belong to no subject: what a form of the admin did when it was sent."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from audit.times import instant


class FormSubmission(models.Model):
    """A form that a person sent, with what it did, so that sending it again only shows that.

    ``token_hash`` is the SHA-256 of the page's path and the form's token, ``contents_hash`` a
    keyed hash of what was typed. Without a ``location`` the form is being worked on, in a
    transaction that has not ended. ``said`` are the messages: level, text, whether that is HTML,
    tags. None of them holds a secret.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    token_hash = models.CharField(max_length=64)
    contents_hash = models.CharField(max_length=64)
    location = models.TextField(blank=True)
    said = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["user", "token_hash"], name="form_submission_once")
        ]

    def __str__(self) -> str:
        return f"Form sent by {self.user} at {instant(self.created_at)}"


class OwnList(models.Model):
    """A list of the admin as one person keeps it: columns, and filters under names of their own.

    ``columns`` holds the names of the shown columns in their order, by the variant of the list.
    ``filters`` are objects as ``core.own_lists.SavedFilter``: what filters are set to, and never an
    applicant's name that was searched for. There is no row where nothing is kept.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    label = models.CharField(max_length=100, help_text="The model, as app.model.")
    columns = models.JSONField(default=dict)
    filters = models.JSONField(default=list)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["user", "label"], name="own_list_once")]

    def __str__(self) -> str:
        return f"{self.label} as {self.user} keeps it"
