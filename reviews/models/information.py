"""Model of the questions with which deciders send an application back to the loan officers."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from audit import times
from reviews.choices import RequestStatus
from reviews.models.tasks import ReviewTask


class InformationRequest(models.Model):
    """One question of a decider about a task, and its answer.

    The task stays open meanwhile, with its deadlines. The database keeps the question as it was
    asked, and the whole row once it is answered or cancelled. One that ends with its task, or with
    an approval by who asked, is cancelled.
    """

    task = models.ForeignKey(
        ReviewTask,
        on_delete=models.PROTECT,
        related_name="information_requests",
        db_index=False,  # ``information_request_once`` begins with it
    )
    number = models.PositiveSmallIntegerField(help_text="Counts the questions of the task, from 1.")
    status = models.CharField(
        max_length=10, choices=RequestStatus.choices, default=RequestStatus.OPEN
    )
    message = models.TextField()
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    on_behalf_of = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Whose right to decide was used, under a delegation.",
    )
    asked_at = models.DateTimeField(default=timezone.now)
    answer = models.TextField(blank=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    answered_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["task_id", "number"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["task", "number"], name="information_request_once"),
            models.UniqueConstraint(
                fields=["task"],
                condition=Q(status=RequestStatus.OPEN),
                name="information_request_one_open",
            ),
            models.CheckConstraint(condition=~Q(message=""), name="information_request_asks"),
            models.CheckConstraint(
                condition=Q(
                    ~Q(answer=""),
                    ~Q(answered_by=F("asked_by")),
                    status=RequestStatus.ANSWERED,
                    answered_by__isnull=False,
                    answered_at__isnull=False,
                    cancelled_at__isnull=True,
                )
                | Q(
                    Q(status=RequestStatus.OPEN, cancelled_at__isnull=True)
                    | Q(status=RequestStatus.CANCELLED, cancelled_at__isnull=False),
                    answer="",
                    answered_by__isnull=True,
                    answered_at__isnull=True,
                ),
                name="information_request_ended_one_way",
            ),
        ]

    def __str__(self) -> str:
        return f"Question {self.number} of {times.moment(self.asked_at)}"

    @property
    def is_open(self) -> bool:
        return self.status == RequestStatus.OPEN

    @property
    def is_answered(self) -> bool:
        return self.status == RequestStatus.ANSWERED
