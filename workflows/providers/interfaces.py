"""Define the interfaces of the outside providers.

Each has a simulator and an HTTP adapter; ``registry`` picks one by setting. Only a fraud
vendor, which answers later, has no simulator: without one the fraud service is asked. A
provider is never called inside a database transaction.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from applications.choices import FraudVerdict
from applications.models import LoanApplication
from lending.underwriting import Report


@dataclass(frozen=True)
class Subject:
    """The person and the loan that a provider is asked about."""

    reference: str
    applicant_name: str
    address: str
    sin_last4: str
    loan_amount: Decimal
    currency: str

    @classmethod
    def of(cls, application: LoanApplication) -> "Subject":
        return cls(
            reference=application.reference,
            applicant_name=application.applicant_name,
            address=application.address,
            sin_last4=application.sin_last4,
            loan_amount=application.loan_amount,
            currency=application.currency,
        )


@dataclass(frozen=True)
class BureauReport:
    report: Report
    bureau_reference: str


@dataclass(frozen=True)
class Screening:
    """The question to a fraud vendor: about whom, and where and by when it answers.

    ``name`` is the same when the same is asked again.
    """

    name: str
    subject: Subject
    callback_url: str
    answer_by: datetime


class CreditBureau(Protocol):
    def pull(self, subject: Subject) -> BureauReport:
        """Raises ``ProviderError`` when the bureau does not answer as it should."""


class FraudService(Protocol):
    def check(self, subject: Subject) -> FraudVerdict:
        """Raises ``ProviderError`` when the service does not answer as it should."""


class FraudVendor(Protocol):
    def ask(self, screening: Screening) -> None:
        """Raises ``ProviderError`` when the vendor has not taken the question."""


class PayoutRail(Protocol):
    def pay(self, *, idempotency_key: str, amount: Decimal, currency: str, reference: str) -> str:
        """Pay, at most once a key; returns the rail's own reference.

        Raises ``ProviderError`` when it was not asked at all, ``PayoutRefused`` when it
        said no, and ``PayoutUnknown`` when it may or may not have paid.
        """

    def find(self, *, idempotency_key: str) -> str | None:
        """The reference of the payout under this key, if there was one. ``ProviderError``."""
