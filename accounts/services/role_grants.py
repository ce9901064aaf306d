"""Make the groups of the table of roles, give them their grants, and say where they differ.

A grant is given once: after the migrate of the release that brings it. What an administrator
changes afterwards in the admin stays as it is, and ``manage.py check --database default``
says so.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.apps import apps as installed
from django.apps.registry import Apps
from django.contrib.auth import get_permission_codename
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.models import AppliedGrant
from accounts.roles import APPROVERS, Role


@dataclass(frozen=True)
class Difference:
    """A difference between the group of a role and the table. ``None``: no such group exists."""

    role: Role
    missing: tuple[str, ...] | None
    additional: tuple[str, ...] = ()


def known_permissions() -> set[str]:
    """The permissions that installed models have, and those of the ranks."""
    known = {role.authority_permission for role in APPROVERS}
    for model in installed.get_models():
        opts = model._meta
        codenames = {get_permission_codename(action, opts) for action in opts.default_permissions}
        codenames |= {codename for codename, _ in opts.permissions}
        known |= {f"{opts.app_label}.{codename}" for codename in codenames}
    return known


def unknown_permissions() -> dict[Role, list[str]]:
    """The permissions of the table that no installed model has, by role."""
    known = known_permissions()
    found = {role: [name for name in role.grants if name not in known] for role in Role}
    return {role: names for role, names in found.items() if names}


def apply_after_migrate(*, apps: Apps, using: str, say: Callable[[str], object] | None) -> None:
    """``roles_apply``, unless accounts itself is not migrated as far as that."""
    try:
        apps.get_model("accounts", "AppliedGrant")
    except LookupError:
        return
    for sentence in (*roles_apply(using=using), *map(describe, differences(using=using))):
        if say is not None:
            say(f"  {sentence}")


@transaction.atomic
def roles_apply(*, using: str) -> list[str]:
    """Give each role the grants of the table that it was not given before; says which.

    Doing it again changes nothing. Raises ``LookupError`` for a permission that does not exist.
    """
    known = _permissions(using)
    applied = []
    for role in Role:
        group, created = Group.objects.using(using).get_or_create(name=role.value)
        before = AppliedGrant.objects.using(using).filter(group=group)
        given = set(before.values_list("permission", flat=True))
        if unknown := [name for name in role.grants if name not in known]:
            raise LookupError(
                f"The role {role} is granted {', '.join(unknown)}: no such permission."
            )
        new = {name: known[name] for name in role.grants if known[name] not in given}
        group.permissions.add(*new.values())
        AppliedGrant.objects.using(using).bulk_create(
            AppliedGrant(group=group, permission_id=key) for key in new.values()
        )
        if new:
            what = f"{len(new)} permissions" if created else ", ".join(new)
            applied.append(f"The group {role} was granted {what}.")
    return applied


def differences(*, using: str) -> list[Difference]:
    """The groups that are not as the table has them; two queries."""
    groups = Group.objects.using(using).prefetch_related("permissions__content_type")
    found = {group.name: group for group in groups.filter(name__in=list(Role))}
    differing = []
    for role in Role:
        if role not in found:
            differing.append(Difference(role, missing=None))
            continue
        has = {
            f"{permission.content_type.app_label}.{permission.codename}"
            for permission in found[role].permissions.all()
        }
        missing, additional = sorted({*role.grants} - has), sorted(has - {*role.grants})
        if missing or additional:
            differing.append(Difference(role, tuple(missing), tuple(additional)))
    return differing


def is_role(group: Group | None) -> bool:
    """Tell whether a group is one of the table of roles."""
    return group is not None and group.name in {role.value for role in Role}


def permissions_of(group: Group) -> "QuerySet[Permission]":
    """Return the permissions that the table grants the group of a role: it can have no others."""
    role = next(role for role in Role if role.value == group.name)
    chosen = Q()
    for label, _, codename in (name.partition(".") for name in role.grants):
        chosen |= Q(content_type__app_label=label, codename=codename)
    return Permission.objects.filter(chosen).select_related("content_type")


def describe(difference: Difference) -> str:
    if difference.missing is None:
        return f"There is no group {difference.role}."
    parts = [("lacks", difference.missing), ("also has", difference.additional)]
    changes = "; ".join(f"{verb} {', '.join(names)}" for verb, names in parts if names)
    return f"The group {difference.role} differs from the table of roles: it {changes}."


def _permissions(using: str) -> dict[str, int]:
    """Keys of all permissions by name, those of roles that approve loans among them."""
    for label in sorted({name.partition(".")[0] for role in Role for name in role.grants}):
        create_permissions(installed.get_app_config(label), verbosity=0, using=using)
    for role in APPROVERS:
        label, _, codename = role.authority_permission.partition(".")
        Permission.objects.using(using).get_or_create(
            content_type=ContentType.objects.db_manager(using).get(
                app_label=label, model="reviewtask"
            ),
            codename=codename,
            defaults={"name": f"Can approve as {role.lower()}"},
        )
    rows = Permission.objects.using(using).values_list("content_type__app_label", "codename", "pk")
    return {f"{label}.{codename}": key for label, codename, key in rows}
