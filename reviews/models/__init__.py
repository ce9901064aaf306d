"""Models of review tasks, decisions, delegations, bulk decisions, notifications, by subject."""

from reviews.models.bulk_decisions import BulkDecision, BulkDecisionRow
from reviews.models.decline_reasons import DeclineReason
from reviews.models.notifications import MailChoice, Notification
from reviews.models.tasks import Delegation, ReviewDecision, ReviewTask

__all__ = [
    "BulkDecision",
    "BulkDecisionRow",
    "DeclineReason",
    "Delegation",
    "MailChoice",
    "Notification",
    "ReviewDecision",
    "ReviewTask",
]
