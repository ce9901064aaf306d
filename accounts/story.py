"""The people in an application's story: the logins in its audit entries, with their roles."""

from collections.abc import Collection
from dataclasses import dataclass

from django.contrib.auth.models import User


@dataclass(frozen=True)
class Person:
    """Somebody who acted. ``roles`` are those of today; the audit log has those of another day."""

    login: str
    roles: tuple[str, ...]
    is_active: bool


def people_of(logins: Collection[str]) -> list[Person]:
    """Return who has these logins, by login; two queries. Others are nobody's any more."""
    users = User.objects.filter(username__in=logins).prefetch_related("groups")
    return [
        Person(
            login=user.get_username(),
            roles=(
                *sorted(group.name for group in user.groups.all()),
                *(("Superuser",) if user.is_superuser else ()),
            ),
            is_active=user.is_active,
        )
        for user in users.order_by("username")
    ]
