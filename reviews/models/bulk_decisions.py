"""Models of bulk decisions: who decided which tasks with which outcome, and each task's result."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from applications.models import LoanApplication
from audit import times
from lending.choices import Outcome
from reviews.models.tasks import ReviewTask


class BulkDecision(models.Model):
    """One decision of one person for many tasks. Its rows are decided in chunks.

    It is stored before the first row is decided. A process that crashes leaves the remaining
    rows waiting, and a later process decides only those.
    """

    token = models.UUIDField(help_text="Of the form: sent twice, it is the same run.")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    outcome = models.CharField(
        max_length=10,
        choices=[(Outcome.APPROVE.value, "Approve"), (Outcome.DECLINE.value, "Decline")],
    )
    reason = models.TextField(blank=True, help_text="As it was typed.")
    reason_code = models.CharField(max_length=40, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    carried_on_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when a process is at it; empty when none is."
    )
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at", "-id"]
        indexes = [models.Index(fields=["decided_by", "-started_at", "-id"], name="bulk_by_person")]
        constraints = [
            models.UniqueConstraint(fields=["decided_by", "token"], name="bulk_decision_once"),
        ]

    def __str__(self) -> str:
        at = times.moment(self.started_at)
        return f"{self.get_outcome_display()} by {self.decided_by} at {at}"


class BulkDecisionRow(models.Model):
    """One task of a bulk decision, with the application version that the decider read."""

    class State(models.TextChoices):
        WAITING = "waiting", "Not reached yet"
        DECIDED = "decided", "Decided"
        REPEATED = "repeated", "Decided so before, by the same person"
        REFUSED = "refused", "Not decided"

    run = models.ForeignKey(BulkDecision, on_delete=models.PROTECT, related_name="rows")
    application = models.ForeignKey(LoanApplication, on_delete=models.PROTECT, related_name="+")
    task = models.ForeignKey(ReviewTask, on_delete=models.PROTECT, related_name="bulk_rows")
    version = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    why = models.TextField(blank=True, help_text="Why it was not decided.")

    class Meta:
        ordering = ["application_id", "id"]
        constraints = [
            models.UniqueConstraint(fields=["run", "task"], name="bulk_decision_row_once"),
        ]

    def __str__(self) -> str:
        return f"{self.application.reference}: {self.get_state_display().lower()}"

    @property
    def sentence(self) -> str:
        """Return why it was not decided; adds the application's reference where it is missing."""
        reference = self.application.reference
        return self.why if reference in self.why else f"{reference}: {self.why}"
