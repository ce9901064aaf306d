"""Models of review tasks, delegations and decisions."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from applications.choices import waiting_choices
from applications.models import LoanApplication
from audit import times
from lending.choices import Outcome
from partners.models import Partner
from reviews.choices import TaskKind, TaskStatus
from reviews.kinds import ROWS


class ReviewTask(models.Model):
    application = models.ForeignKey(
        LoanApplication, on_delete=models.PROTECT, related_name="review_tasks"
    )
    attempt = models.PositiveIntegerField()
    kind = models.CharField(max_length=20, choices=TaskKind.choices)
    number = models.PositiveSmallIntegerField(
        default=1, db_default=1, help_text="Counts the tasks of this kind in the attempt, from 1."
    )
    status = models.CharField(max_length=10, choices=TaskStatus.choices, default=TaskStatus.OPEN)
    assigned_role = models.CharField(max_length=20, choices=waiting_choices)
    approvals_required = models.PositiveSmallIntegerField(default=1)
    reasons = models.JSONField(default=list, blank=True, help_text="Why a person is asked.")
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    opened_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    reminded_at = models.DateTimeField(
        null=True, blank=True, help_text="When the deciders were reminded that it is due."
    )
    escalated_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was handed up to senior managers."
    )
    undecidable_since = models.DateTimeField(
        null=True, blank=True, help_text="Since when nobody in the office can decide it."
    )
    sent_back_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when a question about it waits for an answer."
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Who said that they are on it, when they have not decided yet.",
    )
    claimed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["due_at", "id"]
        permissions = [
            *((row.permission.partition(".")[2], row.permission_name) for row in ROWS),
        ]
        indexes = [
            models.Index(fields=["status", "kind", "due_at"], name="task_open_by_due"),
            models.Index(fields=["due_at", "id"], name="task_by_due"),
            models.Index(fields=["status", "due_at", "id"], name="task_by_status"),
            models.Index(fields=["status", "opened_at", "due_at"], name="task_open_by_age"),
            models.Index(
                fields=["application"],
                condition=Q(sent_back_at__isnull=False),
                name="task_sent_back",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["application", "attempt", "kind", "number"], name="review_task_once"
            ),
            models.CheckConstraint(
                condition=Q(status=TaskStatus.DECIDED, outcome__in=["approve", "decline"])
                | (~Q(status=TaskStatus.DECIDED) & Q(outcome="")),
                name="review_task_decided_has_outcome",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.application.reference}"


class Delegation(models.Model):
    """A handover of one person's tasks to another, between two moments.

    The delegate may decide only what the delegator may decide, and does so in their own name.
    """

    delegator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="delegations_given"
    )
    delegate = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="delegations_received"
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-starts_at", "-id"]
        indexes = [
            models.Index(fields=["delegate", "starts_at", "ends_at"], name="delegation_by_delegate")
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=models.F("starts_at")),
                name="delegation_ends_after_start",
                violation_error_message="The delegation has to end after it begins.",
            ),
            models.CheckConstraint(
                condition=~Q(delegator=models.F("delegate")),
                name="delegation_to_somebody_else",
                violation_error_message="Choose somebody else: nobody stands in for themselves.",
            ),
            models.UniqueConstraint(
                fields=["delegator", "delegate", "starts_at", "ends_at"],
                condition=Q(revoked_at__isnull=True),
                name="delegation_once",
                violation_error_message="This delegation exists already.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.delegator} to {self.delegate}"


class ReviewDecision(models.Model):
    """One decision on a task, by a person, or by an applicant through their partner.

    Each person and each partner has at most one per task, besides those that were voided. A late
    decision is stored and shown, and is not applied. An approval is voided when the application
    is edited after it, or when who gave it is deactivated: it stays, and counts no more.
    """

    task = models.ForeignKey(ReviewTask, on_delete=models.PROTECT, related_name="decisions")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,  # ``decision_by_person`` begins with it
    )
    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    on_behalf_of = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Whose right the decider used, under a delegation.",
    )
    late = models.BooleanField(
        default=False,
        db_default=False,  # the previous release, which does not know it, still inserts
        help_text="It came after the wait had ended: kept, not applied.",
    )
    voided_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when the approval does not count any more."
    )
    voided_because = models.CharField(max_length=200, blank=True)
    outcome = models.CharField(
        max_length=10,
        choices=[(Outcome.APPROVE.value, "Approve"), (Outcome.DECLINE.value, "Decline")],
    )
    reason = models.TextField(
        blank=True, help_text="The whole of it as the applicant reads it, or a note for staff."
    )
    reason_code = models.CharField(
        max_length=40, blank=True, db_default="", help_text="Of the catalogue, if one was chosen."
    )
    reason_text = models.CharField(
        max_length=300, blank=True, db_default="", help_text="How the catalogue read then."
    )
    application_version = models.PositiveIntegerField()
    decided_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["decided_at", "id"]
        indexes = [
            models.Index(fields=["decided_at", "id"], name="decision_by_time"),
            models.Index(fields=["decided_by", "decided_at"], name="decision_by_person"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["task", "decided_by"],
                condition=Q(voided_at__isnull=True),
                name="one_decision_a_person",
            ),
            models.UniqueConstraint(
                fields=["task", "partner"],
                condition=Q(partner__isnull=False, voided_at__isnull=True),
                name="one_decision_a_partner",
            ),
            models.UniqueConstraint(
                fields=["task"],
                condition=Q(outcome="decline", late=False),
                name="one_decline_a_task",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=False, partner__isnull=True)
                | Q(decided_by__isnull=True, partner__isnull=False),
                name="decision_has_one_decider",
            ),
            models.CheckConstraint(
                condition=Q(outcome="approve") | ~Q(reason=""), name="decline_has_a_reason"
            ),
            models.CheckConstraint(
                condition=Q(voided_at__isnull=True, voided_because="")
                | (Q(voided_at__isnull=False, outcome="approve") & ~Q(voided_because="")),
                name="approval_voided_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_outcome_display()} at {times.moment(self.decided_at)}"
