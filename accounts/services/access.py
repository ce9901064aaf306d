"""The access of a person: their roles, whether they are a superuser, whether active.

A role that decides, the flag of a superuser, and the return of somebody who has one of the two
are power, which ``access_grants`` lets two superusers give. Staff access follows: whoever has a
role, or is a superuser, may sign in to the admin.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from django.contrib.auth.models import Group, User
from django.db import transaction

from accounts.errors import LastSuperuser, OnlySuperusers
from accounts.roles import Role
from accounts.signals import account_changed
from audit.host import host_actor
from audit.models import Action, AuditEntry
from audit.services import entry_record


@dataclass(frozen=True)
class Access:
    """The names of a person's groups, whether they are a superuser, and whether active."""

    groups: frozenset[str]
    is_superuser: bool
    is_active: bool

    @property
    def has_role(self) -> bool:
        return any(name in ROLES for name in self.groups)

    @property
    def is_staff(self) -> bool:
        return self.is_superuser or self.has_role

    @property
    def deciding(self) -> frozenset[str]:
        """The deciding roles among the groups."""
        return frozenset(name for name in self.groups if name in ROLES and ROLES[name].decides)


ROLES = {role.value: role for role in Role}


def access_of(user: User) -> Access:
    return Access(
        groups=frozenset(user.groups.values_list("name", flat=True)),
        is_superuser=user.is_superuser,
        is_active=user.is_active,
    )


def needs_second(*, before: Access, wanted: Access) -> bool:
    """Tell whether a change gives somebody power that one superuser alone does not give."""
    powers = wanted.is_superuser or bool(wanted.deciding)
    return (
        bool(wanted.deciding - before.deciding)
        or (wanted.is_superuser and not before.is_superuser)
        or (powers and wanted.is_active and not before.is_active)
    )


def single_part(*, before: Access, wanted: Access) -> Access:
    """Return the part of a change that one superuser makes alone."""
    alone = replace(
        wanted,
        groups=wanted.groups - (wanted.deciding - before.deciding),
        is_superuser=wanted.is_superuser and before.is_superuser,
    )
    if needs_second(before=before, wanted=alone):  # the return of somebody with power
        alone = replace(alone, is_active=before.is_active)
    return alone


def may_administer(user: User) -> bool:
    return user.is_active and user.is_superuser


def access_check(*, by: User) -> None:
    """Raise ``OnlySuperusers`` unless ``by`` may change who gets access."""
    if not may_administer(by):
        raise OnlySuperusers


def fingerprint(access: Access) -> str:
    """Return a text that is another one after any change of the access."""
    return json.dumps([sorted(access.groups), access.is_superuser, access.is_active])


def change_announce(*, entry: AuditEntry, account: User | None = None) -> None:
    """Send the owner of an account and all superusers an e-mail about a change by another."""
    if account is None or entry.actor_id != account.pk:
        account_changed.send(sender=User, entry=entry)


def describe(*, before: Access, after: Access) -> str:
    """Say what a change does: ``gets the role Manager, is a superuser``."""
    gets, loses = sorted(after.groups - before.groups), sorted(before.groups - after.groups)
    parts = [f"gets the role {name}" for name in gets] + [
        f"loses the role {name}" for name in loses
    ]
    if after.is_superuser != before.is_superuser:
        parts.append("is a superuser now" if after.is_superuser else "is no superuser any more")
    if after.is_active != before.is_active:
        parts.append("may sign in again" if after.is_active else "may not sign in any more")
    return ", ".join(parts)


@transaction.atomic
def host_act_record(*, user: User, action: Action, message: str) -> None:
    """Record what a command on the host did to an account, and send the e-mails about it."""
    entry = entry_record(action=action, message=message, who=host_actor(), target=user)
    account_changed.send(sender=User, entry=entry)


def staff_access_give(*, users: Iterable[User], groups: Iterable[Group]) -> None:
    """Let people who joined these groups sign in to the admin, if one of them is a role."""
    if not any(group.name in ROLES for group in groups):
        return
    for user in users:
        if not user.is_staff:
            user.is_staff = True
            user.save(update_fields=["is_staff"])


def staff_access_take(*, users: Iterable[User], groups: Iterable[Group]) -> None:
    """End staff access of people who leave these groups, if their last role is among them."""
    leaving = [group.name for group in groups if group.name in ROLES]
    if not leaving:
        return
    for user in users:
        kept = user.groups.filter(name__in=ROLES.keys() - leaving).exists()
        if user.is_staff and not user.is_superuser and not kept:
            user.is_staff = False
            user.save(update_fields=["is_staff"])


def access_write(
    *, person: User, before: Access, after: Access, by: User, details: Mapping[str, object]
) -> None:
    """Write the access of a locked person, with its audit entry and the mail about it.

    ``access_grants`` decides who may have it written. Raises ``LastSuperuser``.
    """
    ends = may_administer(person) and not (after.is_superuser and after.is_active)
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=person.pk)
    if ends and not others.exists():
        raise LastSuperuser(username=person.get_username())
    person.groups.set(Group.objects.filter(name__in=after.groups))
    person.is_superuser, person.is_active = after.is_superuser, after.is_active
    person.is_staff = after.is_staff
    person.save(update_fields=["is_superuser", "is_active", "is_staff"])
    pairs = {
        "roles": (sorted(before.groups), sorted(after.groups)),
        "is_superuser": (before.is_superuser, after.is_superuser),
        "is_active": (before.is_active, after.is_active),
    }
    entry = entry_record(
        action=Action.CHANGED,
        message=f"{person} {describe(before=before, after=after)}.",
        actor=by,
        target=person,
        changes={name: pair for name, pair in pairs.items() if pair[0] != pair[1]},
        details=details,
    )
    account_changed.send(sender=User, entry=entry)
