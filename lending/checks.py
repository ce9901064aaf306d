"""Check that the policy in force has a ceiling for every role that approves loans.

The check reads the database, so it runs with ``manage.py check --database default``.
"""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import connections

from accounts.roles import APPROVERS
from lending import services
from lending.errors import NoPolicy
from lending.models import PolicyAuthority


@register(Tags.database)
def policy_has_every_ceiling(
    databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    if "default" not in (databases or ()):
        return []
    if PolicyAuthority._meta.db_table not in connections["default"].introspection.table_names():
        return []  # before the first migrate
    try:
        policy = services.policy_current()
    except NoPolicy:
        return []
    ceilings = services.policy_ceilings(policy)
    missing = [role.value for role in APPROVERS if role not in ceilings]
    if not missing:
        return []
    return [
        checks.Warning(
            f"{policy} is in force and has no ceiling for {', '.join(missing)}.",
            hint="Publish a policy version with its ceiling; until then nothing waits for it.",
            id="lending.W001",
        )
    ]
