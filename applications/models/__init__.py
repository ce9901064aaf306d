"""Models of a loan application, by subject."""

from applications.models.application import LoanApplication
from applications.models.credit import CreditReport, RiskAssessment
from applications.models.documents import Document, StoredUpload
from applications.models.notes import ApplicationNote
from applications.models.offers import Disbursement, Instalment, LoanOffer
from applications.models.timeline import ApplicationEvent

__all__ = [
    "ApplicationEvent",
    "ApplicationNote",
    "CreditReport",
    "Disbursement",
    "Document",
    "Instalment",
    "LoanApplication",
    "LoanOffer",
    "RiskAssessment",
    "StoredUpload",
]
