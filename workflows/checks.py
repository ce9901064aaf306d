"""System checks: settings that would leave a case waiting for ever are refused at start."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError

from applications.errors import NoPolicy
from applications.services.policies import longest_wait, policy_current


@register(Tags.database)
def timeouts_nest(databases: Any = None, **_: Any) -> list[CheckMessage]:
    """An execution that times out runs no code of ours: every wait must end before it does.

    Publishing a policy asks the same; this finds what a changed setting does to one in force.
    """
    if not databases:
        return []
    try:
        policy = policy_current()
    except (NoPolicy, DatabaseError):  # not migrated yet: there is nothing to compare
        return []
    limit: timedelta = settings.LOAN_APPROVAL_EXECUTION_TIMEOUT
    needed = longest_wait(policy)
    if needed < limit:
        return []
    return [
        Error(
            f"Policy version {policy.version} may wait for {needed}, but an execution ends "
            f"after {limit}.",
            hint="Raise LOAN_APPROVAL_EXECUTION_TIMEOUT or shorten the policy's waits.",
            id="workflows.E001",
        )
    ]
