"""Models of review tasks, questions, decisions, delegations, notifications, by subject."""

from reviews.models.bulk_decisions import BulkDecision, BulkDecisionRow
from reviews.models.decline_reasons import DeclineReason
from reviews.models.information import InformationRequest
from reviews.models.notifications import MailChoice, Notification
from reviews.models.tasks import Delegation, ReviewDecision, ReviewTask

__all__ = [
    "BulkDecision",
    "BulkDecisionRow",
    "DeclineReason",
    "Delegation",
    "InformationRequest",
    "MailChoice",
    "Notification",
    "ReviewDecision",
    "ReviewTask",
]
