"""Define the interfaces of the outside providers.

Each has a simulator and an HTTP adapter; ``registry`` picks one by setting. Only a fraud
vendor, which answers later, has no simulator: without one the fraud service is asked. A
provider is never called inside a database transaction.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, Protocol

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


class BureauReport(NamedTuple):
    report: Report
    bureau_reference: str


class Screening(NamedTuple):
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


class PaymentState(StrEnum):
    """The state of a payment at the rail. Only a settled one is paid."""

    SETTLED = "settled"
    FAILED = "failed"
    OPEN = "open"  # under way, or in a state that this office does not know


class Payment(NamedTuple):
    """A payment that the rail has under a key, and the rail's own reference of it."""

    state: PaymentState
    reference: str


class PayoutRail(Protocol):
    def pay(self, *, idempotency_key: str, amount: Decimal, currency: str, reference: str) -> str:
        """Pay, at most once a key; returns the rail's own reference of the settled payment.

        Raises ``ProviderError`` when it was not asked at all, ``PayoutRefused`` when it
        said no and will not pay, and ``PayoutUnknown`` for everything else.
        """

    def find(self, *, idempotency_key: str) -> Payment | None:
        """Return the payment under this key; ``None`` when the rail says that it has none.

        Raises ``ProviderError`` when it does not say either.
        """
