"""Receivers of one line: each calls a service. A failed sign-in is recorded in ``lockouts``."""

from typing import Any

from axes.signals import user_locked_out
from django.apps.registry import Apps
from django.contrib.auth.models import Group, User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db.models.signals import m2m_changed
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.services import access, role_grants, sign_in


@receiver(user_logged_in)
def on_signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    sign_in.signed_in(request=request, user=user)


@receiver(user_logged_out)
def on_signed_out(request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:
        sign_in.signed_out(user=user, why=getattr(request, "session_ended", ""))


@receiver(user_locked_out)
def on_locked_out(username: str | None = None, **_: Any) -> None:
    sign_in.locked_out(username=username or "")


@receiver(m2m_changed, sender=User.groups.through)
def on_groups_changed(
    instance: User | Group, action: str, pk_set: set[int] | None, **_: Any
) -> None:
    """Staff access follows from roles, whichever side of the relation is changed."""
    if action == "post_add":
        access.staff_access_give(**_sides(instance, pk_set))
    elif action in {"post_remove", "pre_clear"}:
        access.staff_access_take(**_sides(instance, pk_set))


def _sides(instance: User | Group, pk_set: set[int] | None) -> dict[str, Any]:
    """The users and the groups of a change; without keys, all that the instance has."""
    if isinstance(instance, User):
        groups = instance.groups.all() if pk_set is None else Group.objects.filter(pk__in=pk_set)
        return {"users": [instance], "groups": groups}
    users = instance.user_set.all() if pk_set is None else User.objects.filter(pk__in=pk_set)
    return {"users": users, "groups": [instance]}


def on_migrated(apps: Apps, using: str, verbosity: int, **_: Any) -> None:
    role_grants.apply_after_migrate(apps=apps, using=using, say=print if verbosity else None)
