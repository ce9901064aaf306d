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
from accounts.proposals import SINGLE_ADMIN, is_single_admin
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
    if not is_single_admin() or settings.LOANOFFICE_DEMO:
        return []  # the demo's start says it
    alone = sorted(kind.label.lower() for kind in KINDS.values() if kind.may_confirm_alone)
    return [
        checks.Warning(
            f"{SINGLE_ADMIN} is set: one person may do alone what two have to do otherwise "
            f"({', '.join(alone)}). Each such act is on record as done alone.",
            hint="Unset it as soon as there is a second person.",
            id="accounts.W002",
        )
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
