"""Enumerations of reviews: kinds of tasks and their states. Pure."""

from django.db.models import TextChoices


class TaskKind(TextChoices):
    """What a person is asked."""

    MANAGER_APPROVAL = "manager_approval", "Manager approval"
    FRAUD_REVIEW = "fraud_review", "Fraud review"
    OFFER_ACCEPTANCE = "offer_acceptance", "Offer acceptance"


class TaskStatus(TextChoices):
    """How far the asking has come."""

    OPEN = "open", "Open"
    DECIDED = "decided", "Decided"
    EXPIRED = "expired", "Expired"
    CANCELLED = "cancelled", "Cancelled"
