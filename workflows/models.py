"""Executions, callbacks, outbox messages, incidents, sweeps and the simulated payout rail."""

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q
from django.utils import timezone

from applications.models import LoanApplication
from audit.times import moment
from audit.words import in_words
from core.traces.spans import LONGEST_TRACEPARENT, traceparent
from lending.fields import money_field
from reviews.models import ReviewTask


def traceparent_field() -> "models.CharField[str, str]":
    """Make the column of the span in which a row was written; empty while traces are off."""
    return models.CharField(
        max_length=LONGEST_TRACEPARENT,
        blank=True,
        default=traceparent,
        db_default="",
        help_text="The span that wrote it, as W3C's traceparent.",
    )


class Execution(models.Model):
    """A durable execution, which carries one attempt of an application."""

    class Status(models.TextChoices):
        QUEUED = "QUEUED", "Queued"  # only here: the engine does not know of it yet
        RUNNING = "RUNNING", "Running"
        SUCCEEDED = "SUCCEEDED", "Succeeded"
        FAILED = "FAILED", "Failed"
        TIMED_OUT = "TIMED_OUT", "Timed out"
        STOPPED = "STOPPED", "Stopped"

    application = models.ForeignKey(
        LoanApplication, on_delete=models.PROTECT, related_name="executions"
    )
    attempt = models.PositiveIntegerField()
    name = models.CharField(max_length=64, unique=True)
    arn = models.CharField(max_length=500, unique=True, null=True, blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    request_id = models.CharField(max_length=128, blank=True)
    traceparent = traceparent_field()
    result = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True)
    queued_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when Operations holds it; empty when it runs."
    )
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-queued_at", "-id"]
        permissions = [
            ("restart_execution", "Can restart an application"),
            ("reconcile_execution", "Can compare the record with the engine"),
            ("stop_execution", "Can stop, pause and resume an execution"),
            ("resend_message", "Can resend outgoing messages"),
        ]
        indexes = [
            models.Index(F("queued_at").desc(), F("id").desc(), name="execution_newest"),
            models.Index(
                F("status"), F("queued_at").desc(), F("id").desc(), name="execution_by_status"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["application", "attempt"], name="execution_once"),
        ]

    def __str__(self) -> str:
        return self.name


class PendingCallback(models.Model):
    """A callback of an execution: for a person's answer (then it has a task) or a service's."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        ANSWERED = "answered", "Answered, not delivered"
        DELIVERED = "delivered", "Delivered"
        EXPIRED = "expired", "Expired"
        CANCELLED = "cancelled", "Cancelled"

    execution = models.ForeignKey(Execution, on_delete=models.PROTECT, related_name="callbacks")
    name = models.CharField(max_length=40, help_text="The operation's name in the workflow.")
    callback_id = models.CharField(max_length=1024, unique=True)
    traceparent = traceparent_field()
    review_task = models.OneToOneField(
        ReviewTask, on_delete=models.PROTECT, null=True, blank=True, related_name="callback"
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    answer = models.JSONField(null=True, blank=True)
    opened_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    flagged_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When the fraud check first flagged the application here, applied or not.",
    )
    flag_review = models.ForeignKey(
        ReviewTask,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="flags",
        help_text="The review that looks at the flag.",
    )

    class Meta:
        ordering = ["-opened_at", "-id"]
        indexes = [
            models.Index(F("opened_at").desc(), F("id").desc(), name="callback_newest"),
            models.Index(
                F("status"), F("opened_at").desc(), F("id").desc(), name="callback_by_status"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["execution", "name"], name="callback_once"),
            models.CheckConstraint(
                condition=~Q(status__in=["answered", "delivered"]) | Q(answer__isnull=False),
                name="callback_answered_has_answer",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.what} of {self.execution.name}"

    @property
    def what(self) -> str:
        """The operation in words; its name may end with the number of the try."""
        return in_words("operation", self.name.partition("-")[0])


class CallbackToken(models.Model):
    """The token in the URL at which an outside service answers a callback, stored as a hash."""

    callback = models.ForeignKey(PendingCallback, on_delete=models.PROTECT, related_name="tokens")
    token_hash = models.CharField(max_length=64, unique=True)
    made_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"address of {self.callback}"


class CallbackRequest(models.Model):
    """A signed request of an outside service that was handled: a repeated one changes nothing."""

    class Outcome(models.TextChoices):
        ACCEPTED = "accepted", "Accepted"
        CONTRADICTED = "contradicted", "Said otherwise before"
        LATE = "late", "Answered too late"
        CLOSED = "closed", "Nobody waited"

    identifier = models.CharField(max_length=255, unique=True)
    callback = models.ForeignKey(PendingCallback, on_delete=models.PROTECT, related_name="requests")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the body.")
    outcome = models.CharField(max_length=12, choices=Outcome.choices, default=Outcome.ACCEPTED)
    received_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return self.identifier


class OutboxMessage(models.Model):
    """A message to be delivered: written with the change that causes it, sent after the commit."""

    class Kind(models.TextChoices):
        START_EXECUTION = "start_execution", "Start an execution"
        ANSWER_CALLBACK = "answer_callback", "Answer a callback"
        STOP_EXECUTION = "stop_execution", "Stop an execution"
        PAUSE_EXECUTION = "pause_execution", "Pause an execution"
        RESUME_EXECUTION = "resume_execution", "Resume an execution"
        EMAIL = "email", "E-mail"
        WEBHOOK = "webhook", "Webhook"

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        SENT = "sent", "Sent"
        DEAD = "dead", "Given up"
        CANCELLED = "cancelled", "Cancelled"

    kind = models.CharField(max_length=20, choices=Kind.choices)
    key = models.CharField(
        max_length=200, unique=True, help_text="A message with this key is written once."
    )
    execution = models.ForeignKey(
        Execution, on_delete=models.PROTECT, null=True, blank=True, related_name="messages"
    )
    callback = models.ForeignKey(
        PendingCallback, on_delete=models.PROTECT, null=True, blank=True, related_name="messages"
    )
    application = models.ForeignKey(
        LoanApplication,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="messages",
        help_text="What an e-mail is about; other messages belong to an execution.",
    )
    payload = models.JSONField(default=dict)
    traceparent = traceparent_field()
    recipient = models.CharField(
        max_length=40,
        blank=True,
        default="",
        db_default="",
        help_text="The webhook endpoint. Only a few messages are under way to one of them at once.",
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    leased_until = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    failures = models.JSONField(
        default=list, blank=True, help_text="When each try failed, and why; the latest ones."
    )
    letter = models.JSONField(
        null=True,
        blank=True,
        help_text="An e-mail as it was sent: to whom, masked; subject; text, unless it is secret.",
    )
    note = models.CharField(
        max_length=200, blank=True, help_text="Why nothing was sent, though nothing failed."
    )
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["due_at", "id"], condition=Q(status="pending"), name="outbox_due"),
            models.Index(F("status"), F("id").desc(), name="outbox_by_status"),
            models.Index(F("kind"), F("id").desc(), name="outbox_by_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.key})"

    @property
    def about(self) -> LoanApplication | None:
        """The application that it is about; ``None`` for one about people or proposals."""
        return self.application if self.execution is None else self.execution.application


def urgency() -> Func:
    """Order by urgency: open, then in progress, then resolved.

    Written without parameters, so that SQLite recognizes the expression of the index.
    """
    return Func(
        F("status"),
        template="CASE %(expressions)s WHEN 'open' THEN 0 WHEN 'acknowledged' THEN 1 ELSE 2 END",
        output_field=models.IntegerField(),
    )


class Incident(models.Model):
    """Something is stuck: a sentence that says what, and the person who works on it."""

    class Kind(models.TextChoices):
        WORKFLOW_FAILED = "workflow_failed", "Workflow failed"
        FRAUD_UNANSWERED = "fraud_unanswered", "Fraud check not answered"
        CONTRADICTION = "contradiction", "Contradicting answers"
        PAYOUT_UNKNOWN = "payout_unknown", "Payout outcome unknown"
        PAYOUT_REFUSED = "payout_refused", "Payout refused"
        DELIVERY_FAILED = "delivery_failed", "Delivery failed"
        DECISION_LATE = "decision_late", "Decision came too late"
        ENGINE_DISAGREES = "engine_disagrees", "Engine and record disagree"
        STOPPED = "stopped", "Stopped by Operations"
        ANSWER_DIFFERS = "answer_differs", "Answer is not on record"
        NOT_APPROVED = "not_approved", "Decisions are missing"
        FLAGGED_AFTER_PAYOUT = "flagged_after_payout", "Flagged after the payout"
        NOBODY_CAN_DECIDE = "nobody_can_decide", "Nobody can decide"

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        RESOLVED = "resolved", "Resolved"

    kind = models.CharField(max_length=20, choices=Kind.choices)
    key = models.CharField(max_length=200, help_text="Open at most once at a time.")
    application = models.ForeignKey(
        LoanApplication, on_delete=models.PROTECT, related_name="incidents"
    )
    execution = models.ForeignKey(
        Execution, on_delete=models.PROTECT, null=True, blank=True, related_name="incidents"
    )
    message = models.ForeignKey(
        OutboxMessage,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="incidents",
        help_text="What did not get through, when that is what happened.",
    )
    sentence = models.TextField()
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.OPEN)
    opened_at = models.DateTimeField(default=timezone.now)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    note = models.TextField(blank=True)

    class Meta:
        ordering = [F("opened_at").desc()]
        indexes = [
            models.Index(
                F("status"), F("opened_at").desc(), F("id").desc(), name="incident_by_status"
            ),
            models.Index(F("opened_at").desc(), F("id").desc(), name="incident_newest"),
            models.Index(
                urgency(), F("opened_at").desc(), F("id").desc(), name="incident_by_urgency"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=~Q(status="resolved"), name="incident_open_once"
            ),
        ]

    def __str__(self) -> str:
        return self.sentence


class PeriodicRun(models.Model):
    """The last start and end of a periodic job of the sweep, in whichever process.

    Several sweeps share the work: the one that updates ``started_at`` runs the job. A job that
    takes more than one run keeps in ``place`` where the next one goes on.
    """

    name = models.CharField(max_length=40, unique=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    result = models.JSONField(default=dict, blank=True)
    place = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class SweepRun(models.Model):
    """A sweep that came to its end, and what waited then: the first one of each minute.

    The System page draws the last day from these rows; the sweep deletes them after eight days.
    """

    minute = models.DateTimeField(unique=True, help_text="When it ended, without the seconds.")
    ended_at = models.DateTimeField()
    seconds = models.FloatField(help_text="How long it took.")
    outbox_pending = models.PositiveIntegerField()
    outbox_oldest_seconds = models.PositiveIntegerField()
    incidents_open = models.PositiveIntegerField()
    tasks_overdue = models.PositiveIntegerField()
    engine_error = models.CharField(
        max_length=300, blank=True, help_text="Why the engine was not reached; empty when it was."
    )

    class Meta:
        ordering = ["-minute"]
        default_permissions = ("view",)
        verbose_name = "sweep"
        verbose_name_plural = "system"

    def __str__(self) -> str:
        return f"Sweep of {moment(self.minute)}"


class SimulatedPayout(models.Model):
    """A payout of the simulated rail: an outside system, so written in its own transaction.

    Only ``workflows.providers.simulated`` reads and writes it.
    """

    idempotency_key = models.CharField(max_length=64, unique=True)
    reference = models.CharField(max_length=100)
    amount = money_field()
    currency = models.CharField(max_length=3)
    requests = models.PositiveIntegerField(default=1)
    paid_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-paid_at"]

    def __str__(self) -> str:
        return self.reference
