"""What a loan application is and what people are asked about it, by theme."""

from applications.models.assessment import CreditReport, RiskAssessment
from applications.models.bulk import BulkDecision, BulkDecisionRow
from applications.models.events import ApplicationEvent
from applications.models.idempotency import IdempotencyKey
from applications.models.loan import Document, LoanApplication, StoredUpload
from applications.models.offer import Disbursement, Instalment, LoanOffer
from applications.models.partners import Partner, PartnerKey, RateCounter
from applications.models.policy import LendingPolicy, PolicyTier
from applications.models.reasons import DeclineReason
from applications.models.review import Delegation, ReviewDecision, ReviewTask

__all__ = [
    "ApplicationEvent",
    "BulkDecision",
    "BulkDecisionRow",
    "CreditReport",
    "DeclineReason",
    "Delegation",
    "Disbursement",
    "Document",
    "IdempotencyKey",
    "Instalment",
    "LendingPolicy",
    "LoanApplication",
    "LoanOffer",
    "Partner",
    "PartnerKey",
    "PolicyTier",
    "RateCounter",
    "ReviewDecision",
    "ReviewTask",
    "RiskAssessment",
    "StoredUpload",
]
