"""Permissions of people: roles give those of the business, a superuser administers.

``ADMINISTRATIVE`` is the one table that says what a superuser may do by being one. Every other
permission is one of the business, and comes from the groups of the table of roles alone: not
from the flag, and not from permissions that are given to one person.

Imports nothing but Django's own models: the durable function loads this too.
"""

from typing import Any, override

from asgiref.sync import sync_to_async
from django.contrib.auth import get_backends
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission, User
from django.db.models import Exists, OuterRef, Q, QuerySet

ADMINISTRATIVE = frozenset(
    {
        "accounts.add_requiredsecondfactor",
        "accounts.change_requiredsecondfactor",
        "accounts.delete_requiredsecondfactor",
        "accounts.view_failedsignin",
        "accounts.view_proposal",
        "accounts.view_requiredsecondfactor",
        "accounts.view_secondfactor",
        "audit.view_auditentry",
        "auth.add_group",
        "auth.add_user",
        "auth.change_group",
        "auth.change_user",
        "auth.delete_group",
        "auth.delete_user",
        "auth.view_group",
        "auth.view_user",
        # For somebody who is away and can hand over nothing; the services limit to whom.
        "reviews.add_delegation",
        "reviews.change_delegation",
        "reviews.view_delegation",
    }
)


class RoleBackend(ModelBackend):
    """Answer which permissions a person has, and which people have a permission."""

    def get_user_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Return what a person has without a role: administration, if they are a superuser."""
        if not user_obj.is_active or user_obj.is_anonymous or obj is not None:
            return set()
        return set(ADMINISTRATIVE) if user_obj.is_superuser else set()

    async def aget_user_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        return self.get_user_permissions(user_obj, obj)

    def get_group_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Return what a person's groups give, a superuser's too; read once for each instance."""
        if not user_obj.is_active or user_obj.is_anonymous or obj is not None:
            return set()
        if not hasattr(user_obj, "_group_perm_cache"):
            rows = Permission.objects.filter(group__user=user_obj).order_by()
            names = rows.values_list("content_type__app_label", "codename")
            user_obj._group_perm_cache = {f"{label}.{codename}" for label, codename in names}
        found: set[str] = user_obj._group_perm_cache
        return found

    async def aget_group_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        found: set[str] = await sync_to_async(self.get_group_permissions)(user_obj, obj)
        return found

    @override
    def with_perm(
        self,
        perm: str | Permission,
        is_active: bool | None = True,
        include_superusers: bool = True,
        obj: Any = None,
    ) -> "QuerySet[User]":
        """Return the people who have a permission. The same rule as ``has_perm``, in SQL."""
        name = perm if isinstance(perm, str) else ".".join(perm.natural_key()[1::-1])
        label, _, codename = name.partition(".")
        if not codename:
            raise ValueError("A permission is named app_label.codename.")
        if obj is not None:
            return User.objects.none()
        given = Permission.objects.filter(
            group__user=OuterRef("pk"), content_type__app_label=label, codename=codename
        )
        has = Q(Exists(given))
        if include_superusers and name in ADMINISTRATIVE:
            has |= Q(is_superuser=True)
        if is_active is not None:
            has &= Q(is_active=is_active)
        return User.objects.filter(has)


def has_perm(self: User, perm: str, obj: Any = None) -> bool:
    """Ask the backends, for a superuser as for everybody."""
    backends = [backend for backend in get_backends() if hasattr(backend, "has_perm")]
    return self.is_active and any(backend.has_perm(self, perm, obj) for backend in backends)


def has_module_perms(self: User, app_label: str) -> bool:
    """Tell whether a person has any permission of an app; a superuser is asked too."""
    return self.is_active and any(
        name.partition(".")[0] == app_label for name in self.get_all_permissions()
    )


async def ahas_perm(self: User, perm: str, obj: Any = None) -> bool:
    answer: bool = await sync_to_async(has_perm)(self, perm, obj)
    return answer


async def ahas_module_perms(self: User, app_label: str) -> bool:
    answer: bool = await sync_to_async(has_module_perms)(self, app_label)
    return answer


def roles_decide() -> None:
    """Make the user model ask the backends about superusers too.

    Django's own methods return true for a superuser before any backend is asked, so a backend
    cannot refuse: the methods themselves are replaced. Doing it again changes nothing.
    """
    for method in (has_perm, ahas_perm, has_module_perms, ahas_module_perms):
        User.add_to_class(method.__name__, method)
