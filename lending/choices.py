"""Enumerations of lending: outcomes, credit tiers, reason codes. Pure."""

from django.db.models import TextChoices


class Outcome(TextChoices):
    """The outcome of a decision."""

    APPROVE = "approve", "Approve"
    REFER = "refer", "Refer"
    DECLINE = "decline", "Decline"


class Tier(TextChoices):
    """Credit quality, best first."""

    PRIME = "prime", "Prime"
    NEAR_PRIME = "near_prime", "Near-prime"
    SUBPRIME = "subprime", "Subprime"
    DEEP_SUBPRIME = "deep_subprime", "Deep subprime"


class ReasonCode(TextChoices):
    """A reason for a referral or a decline: its stable code and its sentence for people."""

    AMOUNT_AT_THRESHOLD = (
        "AMOUNT_AT_THRESHOLD",
        "The amount is at or above the approval threshold.",
    )
    BUREAU_UNAVAILABLE = "BUREAU_UNAVAILABLE", "A credit bureau did not answer."
    INCOME_NOT_STATED = "INCOME_NOT_STATED", "No annual income was stated."
    SCORE_TOO_LOW = "SCORE_TOO_LOW", "The average credit score is below the policy's minimum."
    DEROGATORY_MARKS = "DEROGATORY_MARKS", "The credit reports show derogatory marks."
    AMOUNT_ABOVE_TIER_LIMIT = (
        "AMOUNT_ABOVE_TIER_LIMIT",
        "The amount is above the largest loan for this credit tier.",
    )
    INSTALMENT_TOO_SMALL = (
        "INSTALMENT_TOO_SMALL",
        "The amount is too small for the term.",
    )
    DEBT_TO_INCOME_TOO_HIGH = (
        "DEBT_TO_INCOME_TOO_HIGH",
        "The estimated payment is too high for the stated income.",
    )
    INVALID_APPLICATION = "INVALID_APPLICATION", "The application is not complete or not valid."
    MANAGER_DECLINED = "MANAGER_DECLINED", "Declined on review."
    FRAUD_SUSPECTED = "FRAUD_SUSPECTED", "The application did not pass the fraud check."
    OFFER_DECLINED = "OFFER_DECLINED", "The applicant declined the offer."
