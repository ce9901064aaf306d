"""Read who people are now and what they may do by their roles. Loads nothing of signing in."""

from collections.abc import Collection

from django.contrib.auth.models import Permission, User
from django.db.models import Q, QuerySet

from accounts.roles import Role


def person_now(user: User) -> User | None:
    """Return the person as they are now, without permissions that were read before.

    ``None`` for somebody who may not sign in any more. Call it under the lock of what is done.
    """
    return User.objects.filter(pk=user.pk, is_active=True, is_staff=True).first()


def permissions_by_role(
    *, people: Collection[int], among: Collection[str]
) -> dict[int, frozenset[str]]:
    """Return which of the permissions ``among`` each person holds by a role; one query.

    What a superuser may do as such, or what was given to one person alone, is of no role.
    """
    found: dict[int, set[str]] = {person: set() for person in people}
    rows = User.groups.through.objects.filter(
        user__in=people,
        user__is_active=True,
        group__name__in=list(Role),
        group__permissions__in=permissions_named(among),
    ).values_list(
        "user", "group__permissions__content_type__app_label", "group__permissions__codename"
    )
    for person, label, codename in rows:
        found[person].add(f"{label}.{codename}")
    return {person: frozenset(names) for person, names in found.items()}


def people_holding(among: Collection[str]) -> dict[User, frozenset[str]]:
    """Return the active staff who have any of the permissions, each with those that they have.

    The same rule as ``has_perm`` for permissions of the business, which groups alone give; one
    query, however many people there are.
    """
    columns = [field.attname for field in User._meta.concrete_fields]
    rows = User.groups.through.objects.filter(
        user__is_active=True,
        user__is_staff=True,
        group__permissions__codename__in={name.partition(".")[2] for name in among},
    ).values_list(
        "group__permissions__content_type__app_label",
        "group__permissions__codename",
        *(f"user__{column}" for column in columns),
    )
    wanted, people = frozenset(among), {}
    found: dict[int, set[str]] = {}
    for label, codename, pk, *values in rows:
        if (name := f"{label}.{codename}") in wanted:
            if pk not in found:
                people[pk] = User.from_db(rows.db, columns, [pk, *values])
            found.setdefault(pk, set()).add(name)
    return {people[pk]: frozenset(found[pk]) for pk in sorted(found)}


def permissions_named(names: Collection[str]) -> QuerySet[Permission]:
    """Return the permissions with these names, as ``app_label.codename``."""
    wanted = Q()
    for name in names:
        label, _, codename = name.partition(".")
        wanted |= Q(content_type__app_label=label, codename=codename)
    return Permission.objects.filter(wanted)
