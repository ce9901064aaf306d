"""The logins and the partner key of the demo: public, so production refuses to run with them."""

from accounts.roles import Role

PASSWORD = "demo"  # noqa: S105 - the demo's logins are public
PARTNER = "Demo partner"
PARTNER_KEY = "lo_demo_partner_key"
# The role of each login; None: a superuser.
ROLES: dict[str, Role | None] = {
    "officer": Role.LOAN_OFFICER,
    "manager": Role.MANAGER,
    "manager2": Role.MANAGER,
    "senior": Role.SENIOR_MANAGER,
    "senior2": Role.SENIOR_MANAGER,
    "analyst": Role.RISK_ANALYST,
    "operations": Role.OPERATIONS,
    "operations2": Role.OPERATIONS,
    "policy": Role.POLICY_OWNER,
    "policy2": Role.POLICY_OWNER,
    "partners": Role.PARTNER_MANAGER,
    "partners2": Role.PARTNER_MANAGER,
    "auditor": Role.AUDITOR,
    "admin": None,
}
