"""Checks of roles and of kinds of proposals: permissions exist; groups have what is granted.

The one of the groups reads the database: ``manage.py check --database default``.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import connections

from accounts.proposal_kinds import KINDS, SUPERUSER
from accounts.proposals import single_admin_notice
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


@register()
def proposal_rights_exist(**_: Any) -> list[CheckMessage]:
    known = role_grants.known_permissions() | {SUPERUSER}
    return [
        checks.Error(
            f"Proposals of the kind {kind.name} need {', '.join(unknown)}: no model has such a "
            "permission.",
            hint="Correct the kind where it is registered.",
            id="accounts.E002",
        )
        for kind in KINDS.values()
        if (unknown := sorted({*kind.propose, *kind.confirm} - known))
    ]


@register()
def one_person_is_enough(**_: Any) -> list[CheckMessage]:
    notice = single_admin_notice()
    if not notice or settings.LOANOFFICE_DEMO:  # the demo's start says it
        return []
    hint = "Unset it as soon as there is a second person."
    return [checks.Warning(notice, hint=hint, id="accounts.W002")]


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
