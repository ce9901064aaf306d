"""The roles of the back office: each is a Django group."""

from django.db.models import TextChoices


class Role(TextChoices):
    """The Django groups that a migration creates."""

    LOAN_OFFICER = "Loan officer"
    MANAGER = "Manager"
    SENIOR_MANAGER = "Senior manager"
    RISK_ANALYST = "Risk analyst"
    OPERATIONS = "Operations"
    POLICY_OWNER = "Policy owner"
    AUDITOR = "Auditor"
