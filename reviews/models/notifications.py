"""Models of what one person is notified of, in the header of each page and by mail."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from reviews.choices import MailMode, NotificationKind
from reviews.models.tasks import ReviewTask


class Notification(models.Model):
    """One line behind the bell of one person, and where it leads to.

    Written once for each ``key``. One about a task is over when the task is closed, read or not.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications"
    )
    kind = models.CharField(max_length=20, choices=NotificationKind.choices)
    key = models.CharField(
        max_length=200, unique=True, help_text="A notification with this key is written once."
    )
    sentence = models.TextField()
    path = models.CharField(max_length=200, help_text="The page it leads to, without a stage.")
    subject = models.CharField(
        max_length=40, blank=True, help_text="What it is about when that is no task: proposal/7."
    )
    task = models.ForeignKey(
        ReviewTask, on_delete=models.PROTECT, null=True, blank=True, related_name="notifications"
    )
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    read_at = models.DateTimeField(null=True, blank=True)
    digest_on = models.DateField(
        null=True, blank=True, help_text="The office's day whose digest was written with it."
    )

    class Meta:
        ordering = ["-id"]
        default_permissions = ()
        indexes = [
            models.Index(
                fields=["user"], condition=Q(read_at__isnull=True), name="notification_unread"
            ),
            models.Index(F("user"), F("id").desc(), name="notification_newest"),
            models.Index(
                fields=["subject"],
                condition=Q(read_at__isnull=True) & ~Q(subject=""),
                name="notification_by_subject",
            ),
        ]

    def __str__(self) -> str:
        return self.sentence


class MailChoice(models.Model):
    """Which e-mails about work one person wants; without a row it is the digest."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mail_choice"
    )
    mode = models.CharField(max_length=10, choices=MailMode.choices, default=MailMode.DIGEST)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.user}: {self.get_mode_display()}"
