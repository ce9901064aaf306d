"""The roles of the back office, and the permissions that each one has. Each is a Django group.

``accounts.migrations.0002_roles`` makes the groups. Nothing is imported from the apps whose
permissions these are: they are named as ``app_label.codename``.
"""

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


# Every role sees every application and what belongs to it, and may take the list with it.
EVERY_ROLE = (
    "partners.view_partner",
    "lending.view_lendingpolicy",
    "lending.view_policytier",
    "applications.export_loanapplication",
    "applications.view_applicationevent",
    "applications.view_creditreport",
    "applications.view_disbursement",
    "applications.view_document",
    "applications.view_instalment",
    "applications.view_loanapplication",
    "applications.view_loanoffer",
    "applications.view_riskassessment",
    "reviews.view_declinereason",
    "reviews.view_delegation",
    "reviews.view_reviewdecision",
    "reviews.view_reviewtask",
    "workflows.view_execution",
    "workflows.view_incident",
    "workflows.view_outboxmessage",
    "workflows.view_pendingcallback",
    "webhooks.view_webhookdelivery",
    "webhooks.view_webhookendpoint",
)
GRANTS: dict[Role, tuple[str, ...]] = {
    Role.LOAN_OFFICER: (
        "applications.add_document",
        "applications.add_loanapplication",
        "applications.change_loanapplication",
        "applications.reveal_contact",
        "applications.submit_loanapplication",
        "applications.withdraw_loanapplication",
        "reviews.record_offer_acceptance",
    ),
    Role.MANAGER: (
        "applications.reveal_contact",
        "reviews.add_delegation",
        "reviews.change_delegation",
        "reviews.decide_manager_approval",
    ),
    Role.SENIOR_MANAGER: (
        "applications.reveal_contact",
        "reviews.add_delegation",
        "reviews.change_delegation",
        "reviews.decide_above_ceiling",
        "reviews.decide_manager_approval",
    ),
    Role.RISK_ANALYST: (
        "applications.reveal_contact",
        "reviews.add_delegation",
        "reviews.change_delegation",
        "reviews.decide_fraud_review",
    ),
    Role.OPERATIONS: (
        "applications.settle_disbursement",
        "workflows.change_incident",
        "workflows.reconcile_execution",
        "workflows.resend_message",
        "workflows.restart_execution",
        "workflows.stop_execution",
        "webhooks.resend_webhookdelivery",
    ),
    Role.POLICY_OWNER: (
        "lending.add_lendingpolicy",
        "lending.add_policytier",
        "lending.change_lendingpolicy",
        "lending.change_policytier",
        "lending.delete_policytier",
        "lending.publish_lendingpolicy",
        "reviews.add_declinereason",
        "reviews.change_declinereason",
    ),
    Role.AUDITOR: (
        "audit.export_auditentry",
        "audit.view_auditentry",
        "reviews.view_bulkdecision",
    ),
}
