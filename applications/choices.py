"""Enumerations of an application: its status and step, who it waits for, its files. Pure.

The same English word ("approved") means different things in a status and an outcome; each
enumeration is one vocabulary.
"""

from decimal import Decimal

from django.db.models import IntegerChoices, TextChoices

from accounts.roles import approver_choices


class Status(TextChoices):
    """The status of an application, as people and partners see it."""

    DRAFT = "draft", "Draft"
    SUBMITTED = "submitted", "Submitted"
    IN_REVIEW = "in_review", "In review"
    PENDING_APPROVAL = "pending_approval", "Pending approval"
    APPROVED = "approved", "Approved"
    FUNDED = "funded", "Funded"
    DECLINED = "declined", "Declined"
    WITHDRAWN = "withdrawn", "Withdrawn"
    EXPIRED = "expired", "Expired"
    NEEDS_ATTENTION = "needs_attention", "Needs attention"


# With the workflow: submitted, and not closed.
IN_WORK = (
    Status.SUBMITTED,
    Status.IN_REVIEW,
    Status.PENDING_APPROVAL,
    Status.APPROVED,
    Status.NEEDS_ATTENTION,
)


class Step(TextChoices):
    """The step of the workflow that an application has reached, in order."""

    SUBMITTED = "submitted", "Submitted"
    VALIDATING = "validating", "Validation"
    CREDIT_CHECK = "credit_check", "Credit check"
    RISK_ASSESSMENT = "risk_assessment", "Risk assessment"
    MANAGER_APPROVAL = "manager_approval", "Manager approval"
    FRAUD_CHECK = "fraud_check", "Fraud check"
    GENERATING_OFFER = "generating_offer", "Offer"
    OFFER_ACCEPTANCE = "offer_acceptance", "Acceptance"
    DISBURSING = "disbursing", "Disbursement"
    COMPLETE = "complete", "Complete"


class AmountBand(IntegerChoices):
    """A range of loan amounts, for lists: from its lower bound to below the next one's."""

    UNDER_25 = 1, "Under 25,000"
    FROM_25 = 2, "25,000 to 100,000"
    FROM_100 = 3, "100,000 to 250,000"
    FROM_250 = 4, "250,000 to 500,000"
    FROM_500 = 5, "500,000 and more"

    @classmethod
    def of(cls, amount: Decimal) -> "AmountBand":
        """Return the band of an amount. A boundary belongs to the band that begins with it."""
        beginnings = (25_000, 100_000, 250_000, 500_000)
        return cls(1 + sum(amount >= beginning for beginning in beginnings))


class WaitingOn(TextChoices):
    """The parties an application may wait for, besides the roles that approve loans."""

    RISK_ANALYST = "risk_analyst", "Risk analyst"
    FRAUD_SERVICE = "fraud_service", "Fraud service"
    APPLICANT = "applicant", "Applicant"


def waiting_choices() -> list[tuple[str, str]]:
    """Return all parties and roles that an application may wait for."""
    return [*approver_choices(), *WaitingOn.choices]


class Bureau(TextChoices):
    """A credit bureau. Its variables and operation are derived from the member."""

    EQUIFAX = "equifax", "Equifax"
    TRANSUNION = "transunion", "TransUnion"
    EXPERIAN = "experian", "Experian"


BUREAU_ATTEMPTS = 3  # for one report, before the application goes on without it


def bureau_choices() -> list[tuple[str, str]]:
    """Return the bureaus as a field's choices; a callable, so a new one needs no migration."""
    return Bureau.choices


class FraudVerdict(TextChoices):
    PASSED = "passed", "Passed"
    FLAGGED = "flagged", "Flagged"


class Purpose(TextChoices):
    PERSONAL_LOAN = "personal_loan", "Personal loan"
    HOME_IMPROVEMENT = "home_improvement", "Home improvement"
    VEHICLE = "vehicle", "Vehicle"
    EDUCATION = "education", "Education"
    DEBT_CONSOLIDATION = "debt_consolidation", "Debt consolidation"
    BUSINESS = "business", "Business"
    OTHER = "other", "Other"


class DocumentKind(TextChoices):
    """The kind of a document of an application."""

    PROOF_OF_IDENTITY = "proof_of_identity", "Proof of identity"
    PROOF_OF_INCOME = "proof_of_income", "Proof of income"
    BANK_STATEMENT = "bank_statement", "Bank statement"
    OFFER_LETTER = "offer_letter", "Offer letter"
    OTHER = "other", "Other"


class Level(TextChoices):
    """The level of a timeline entry."""

    INFO = "info", "Info"
    SUCCESS = "success", "Success"
    WARNING = "warning", "Warning"
    ERROR = "error", "Error"
