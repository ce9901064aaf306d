"""Users and groups: Django's own pages, which write to the audit log here."""

from typing import TYPE_CHECKING, Any

from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest

from accounts.models import RequiredSecondFactor
from audit.admin.base import AuditedAdmin

if TYPE_CHECKING:
    AuditedUser = AuditedAdmin[User]
    AuditedGroup = AuditedAdmin[Group]
else:
    AuditedUser = AuditedGroup = AuditedAdmin


class AuditedUserAdmin(AuditedUser, UserAdmin):  # type: ignore[type-arg]
    pass


class AuditedGroupAdmin(AuditedGroup, GroupAdmin):
    pass


class SuperusersOnly:
    """A page that no permission opens: what it changes decides who gets in."""

    def _may(self, request: HttpRequest) -> bool:
        user = request.user
        return bool(user.is_active and user.is_superuser)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return self._may(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return self._may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return self._may(request)


class SuperusersLook(SuperusersOnly):
    """The same, and rows are written by services alone."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


class RequiredSecondFactorAdmin(SuperusersOnly, AuditedAdmin[RequiredSecondFactor]):
    """Members of a group that is here are led to set up a second factor, at their next click."""

    list_display = ("group", "created_at")
    list_select_related = ("group",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False
