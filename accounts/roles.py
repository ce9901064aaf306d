"""The roles of the back office: one table of what each is called, may do and approves.

A role is a row of ``Role``; nothing else lists them. ``accounts.services.role_grants`` makes
the Django groups from it after each migrate, and ``accounts.checks`` compares the two. Nothing
is imported from the apps whose permissions these are: they are named as ``app_label.codename``.
"""

from enum import StrEnum, unique

# Every role sees every application and what belongs to it, and may take the list with it.
EVERY_ROLE = (
    "accounts.view_proposal",
    "partners.view_partner",
    "lending.view_lendingpolicy",
    "lending.view_policyauthority",
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

# With one of these a person commits the office: to a loan, a payout, a rule or a partner.
DECIDING = frozenset(
    {
        "applications.confirm_disbursement",
        "applications.settle_disbursement",
        "lending.publish_lendingpolicy",
        "partners.add_partnerkey",
        "partners.change_partnerkey",
        "reviews.decide_fraud_review",
        "reviews.decide_manager_approval",
    }
)


@unique
class Role(StrEnum):
    """A role: the name of its Django group, its permissions besides ``EVERY_ROLE``, its rank.

    A role with a rank approves loans, each up to its ceiling in the lending policy. The higher
    rank decides what is above the ceiling of the lower one, and what is escalated.
    """

    permissions: tuple[str, ...]
    rank: int | None

    def __new__(cls, label: str, permissions: tuple[str, ...], rank: int | None = None) -> "Role":
        role = str.__new__(cls, label)
        role._value_ = label
        role.permissions = permissions
        role.rank = rank
        return role

    LOAN_OFFICER = (
        "Loan officer",
        (
            "applications.add_applicationnote",
            "applications.add_document",
            "applications.add_loanapplication",
            "applications.change_loanapplication",
            "applications.reveal_contact",
            "applications.submit_loanapplication",
            "applications.withdraw_loanapplication",
            "reviews.record_offer_acceptance",
        ),
    )
    MANAGER = (
        "Manager",
        (
            "applications.add_applicationnote",
            "applications.reveal_contact",
            "reviews.add_delegation",
            "reviews.change_delegation",
            "reviews.decide_manager_approval",
        ),
        10,
    )
    SENIOR_MANAGER = (
        "Senior manager",
        (
            "applications.add_applicationnote",
            "applications.confirm_disbursement",
            "applications.reveal_contact",
            "reviews.add_delegation",
            "reviews.change_delegation",
            "reviews.decide_manager_approval",
        ),
        20,
    )
    RISK_ANALYST = (
        "Risk analyst",
        (
            "applications.add_applicationnote",
            "applications.reveal_contact",
            "reviews.add_delegation",
            "reviews.change_delegation",
            "reviews.decide_fraud_review",
        ),
    )
    OPERATIONS = (
        "Operations",
        (
            "applications.add_applicationnote",
            "applications.confirm_disbursement",
            "applications.settle_disbursement",
            "workflows.change_incident",
            "workflows.reconcile_execution",
            "workflows.resend_message",
            "workflows.restart_execution",
            "workflows.stop_execution",
            "workflows.view_sweeprun",
            "webhooks.resend_webhookdelivery",
        ),
    )
    POLICY_OWNER = (
        "Policy owner",
        (
            "applications.add_applicationnote",
            "lending.add_lendingpolicy",
            "lending.add_policyauthority",
            "lending.add_policytier",
            "lending.change_lendingpolicy",
            "lending.change_policyauthority",
            "lending.change_policytier",
            "lending.delete_policyauthority",
            "lending.delete_policytier",
            "lending.publish_lendingpolicy",
            "reviews.add_declinereason",
            "reviews.change_declinereason",
        ),
    )
    PARTNER_MANAGER = (
        "Partner manager",
        (
            "applications.add_applicationnote",
            "partners.add_partner",
            "partners.add_partnerkey",
            "partners.change_partner",
            "partners.change_partnerkey",
            "partners.view_partnerkey",
            "webhooks.add_webhookendpoint",
            "webhooks.change_webhookendpoint",
        ),
    )
    AUDITOR = (
        "Auditor",
        (
            "audit.export_auditentry",
            "audit.view_auditentry",
            "reviews.view_bulkdecision",
            "workflows.view_sweeprun",
        ),
    )

    @property
    def key(self) -> str:
        """The name in tasks, in policies and in the API: ``senior_manager``."""
        return self.name.lower()

    @property
    def authority_permission(self) -> str:
        """The permission that gives its holder the authority of this role."""
        return f"reviews.approve_as_{self.key}"

    @property
    def decides(self) -> bool:
        """Tell whether it may decide, publish, settle or issue keys.

        Two administrators give such a role to a person, one of whom proposes it.
        """
        return self.rank is not None or not DECIDING.isdisjoint(self.permissions)

    @property
    def grants(self) -> tuple[str, ...]:
        """All permissions of its group."""
        own = () if self.rank is None else (self.authority_permission,)
        return (*EVERY_ROLE, *self.permissions, *own)


def _approvers() -> tuple[Role, ...]:
    """The roles that approve loans, the lowest rank first. Raises ``ValueError`` for a tie."""
    by_rank: dict[int, Role] = {}
    for role in Role:
        if role.rank is None:
            continue
        if role.rank in by_rank:
            raise ValueError(f"{by_rank[role.rank]} and {role} have the same rank {role.rank}.")
        by_rank[role.rank] = role
    return tuple(by_rank[rank] for rank in sorted(by_rank))


APPROVERS = _approvers()


def approver_choices() -> list[tuple[str, str]]:
    """Keys and labels of the roles that approve loans, the lowest rank first."""
    return [(role.key, role.value) for role in APPROVERS]


def role_by_key(key: str) -> Role:
    return Role[key.upper()]


def roles_deciding(key: str) -> tuple[Role, ...]:
    """The roles that may decide what waits for the role ``key``: it, and those ranked above."""
    role = role_by_key(key)
    return APPROVERS[APPROVERS.index(role) :] if role in APPROVERS else (role,)


def roles_above(key: str) -> tuple[Role, ...]:
    """The roles that a task of the role ``key`` is escalated to: all ranks above it.

    All of them, so that somebody is notified even if nobody has the next rank yet. A task of
    the highest rank is escalated to that rank itself.
    """
    return roles_deciding(key)[1:] or APPROVERS[-1:]


def role_above(key: str) -> Role:
    """The next rank above the role ``key``; the highest above itself and those without a rank."""
    return roles_above(key)[0]
