"""Enumerations of reviews: kinds and statuses of tasks. Pure."""

from django.db.models import TextChoices


class TaskKind(TextChoices):
    """A kind of question put to people."""

    MANAGER_APPROVAL = "manager_approval", "Manager approval"
    FRAUD_REVIEW = "fraud_review", "Fraud review"
    OFFER_ACCEPTANCE = "offer_acceptance", "Offer acceptance"


class TaskStatus(TextChoices):
    """The status of a review task."""

    OPEN = "open", "Open"
    DECIDED = "decided", "Decided"
    EXPIRED = "expired", "Expired"
    CANCELLED = "cancelled", "Cancelled"
