"""Checks of the table of roles: every permission exists; the groups have what it grants.

The second one reads the database: ``manage.py check --database default``.
"""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import Group
from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import connections

from accounts.services import role_grants


@register()
def permissions_exist(**_: Any) -> list[CheckMessage]:
    return [
        checks.Error(
            f"The role {role} is granted {', '.join(names)}: no model has such a permission.",
            hint="Correct accounts/roles.py.",
            id="accounts.E001",
        )
        for role, names in role_grants.unknown_permissions().items()
    ]


@register(Tags.database)
def groups_equal_the_table(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    return [
        checks.Warning(
            role_grants.describe(difference),
            hint="If nobody meant this, change the group in the admin, or run migrate.",
            id="accounts.W001",
        )
        for alias in databases or ()
        if Group._meta.db_table in connections[alias].introspection.table_names()
        for difference in role_grants.differences(using=alias)
    ]
