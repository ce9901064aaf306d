"""Webhook endpoints, events, deliveries and their attempts."""

from django.db import models
from django.db.models import F
from django.utils import timezone

from applications.models import LoanApplication
from partners.models import Partner
from webhooks.choices import event_words


class WebhookEndpoint(models.Model):
    """A partner's URL that receives webhook events of its applications.

    The secrets sign the requests, so they are stored as they are and shown once, when created.
    For a while after a rotation both sign.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        DISABLED = "disabled", "Disabled"

    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="webhooks")
    url = models.URLField("URL", max_length=500)
    event_types = models.JSONField(default=list, blank=True, help_text="Empty: every type.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_why = models.CharField(max_length=200, blank=True)
    secret = models.CharField(max_length=100, editable=False)
    previous_secret = models.CharField(max_length=100, blank=True, editable=False)
    previous_until = models.DateTimeField(
        null=True, blank=True, help_text="Until then the secret before signs as well."
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["partner", "id"]

    def __str__(self) -> str:
        return self.url


class WebhookEvent(models.Model):
    """A change that a partner is notified of, once, however many endpoints it has.

    A test of an endpoint is about no application.
    """

    public_id = models.CharField(max_length=40, unique=True)
    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="webhook_events")
    application = models.ForeignKey(
        LoanApplication,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="webhook_events",
    )
    type = models.CharField(max_length=40)
    payload = models.TextField(help_text="The body as it is sent, to the byte.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                F("partner"), F("created_at").desc(), F("id").desc(), name="webhook_event_newest"
            ),
            models.Index(
                F("partner"),
                F("type"),
                F("created_at").desc(),
                F("id").desc(),
                name="webhook_event_by_type",
            ),
            models.Index(fields=["created_at", "id"], name="webhook_event_by_age"),
        ]

    def __str__(self) -> str:
        return f"{event_words(self.type)} ({self.public_id})"


class WebhookDelivery(models.Model):
    """One event on its way to one endpoint. ``round`` counts how often it was restarted.

    ``partner`` and ``event_type`` are the event's, copied here for the list to be found by them;
    ``attempts`` to ``last_status_code`` sum its attempts up.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Failed"

    event = models.ForeignKey(WebhookEvent, on_delete=models.PROTECT, related_name="deliveries")
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.PROTECT, related_name="deliveries"
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    round = models.PositiveIntegerField(default=1)
    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    event_type = models.CharField(max_length=40, blank=True, default="", db_default="")
    attempts = models.PositiveIntegerField("tries", default=0, db_default=0)
    last_attempt_at = models.DateTimeField("last try", null=True, blank=True)
    last_status_code = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="What the last try was answered; 0: it was not."
    )
    created_at = models.DateTimeField(default=timezone.now)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "webhook deliveries"
        permissions = [("resend_webhookdelivery", "Can send a webhook again")]
        constraints = [
            models.UniqueConstraint(fields=["event", "endpoint"], name="webhook_delivery_once"),
        ]
        indexes = [
            models.Index(F("status"), F("id").desc(), name="webhook_by_status"),
            models.Index(F("partner"), F("id").desc(), name="webhook_by_partner"),
            models.Index(F("event_type"), F("id").desc(), name="webhook_by_type"),
            models.Index(F("endpoint"), F("id").desc(), name="webhook_by_endpoint"),
        ]

    def __str__(self) -> str:
        return f"{event_words(self.event.type)} to {self.endpoint.url}"


class WebhookAttempt(models.Model):
    """One attempt of a delivery: the request and the answer. ``status_code`` 0: no answer."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.PROTECT, related_name="tries")
    at = models.DateTimeField(default=timezone.now)
    address = models.CharField(max_length=45, blank=True, help_text="The IP address called.")
    request_headers = models.JSONField(default=dict)
    status_code = models.PositiveSmallIntegerField(default=0)
    response = models.TextField(blank=True, help_text="The beginning of the answer.")
    error = models.TextField(blank=True)
    took_ms = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.status_code or self.error}"
