"""Users and groups: Django's own pages, which write to the audit log here.

With checkboxes: Django's lists that move things from left to right cannot be used with a
screen reader.
"""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.http import HttpRequest

from accounts.models import RequiredSecondFactor
from audit.admin.base import AuditedAdmin, ReadOnlyPermissions

if TYPE_CHECKING:
    AuditedUser = AuditedAdmin[User]
    AuditedGroup = AuditedAdmin[Group]
    PermissionFieldBase = forms.ModelMultipleChoiceField[Permission]
else:
    AuditedUser = AuditedGroup = AuditedAdmin
    PermissionFieldBase = forms.ModelMultipleChoiceField


class PermissionField(PermissionFieldBase):
    """Permissions grouped by model, with readable names."""

    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, obj: Permission) -> str:
        return f"{obj.content_type.app_label}: {obj.name}"


def boxes(field: str, request: HttpRequest | None, **kwargs: Any) -> dict[str, Any]:  # noqa: ARG001
    """Use checkboxes as the widget of a many-to-many field."""
    if field in {"permissions", "user_permissions"}:
        kwargs["form_class"] = PermissionField
        kwargs["queryset"] = Permission.objects.select_related("content_type")
    return {**kwargs, "widget": forms.CheckboxSelectMultiple}


class AuditedUserAdmin(AuditedUser, UserAdmin):  # type: ignore[type-arg]
    list_display = ("username", "name", "roles", "is_active", "is_superuser", "last_login")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        (
            "Role",
            {
                "fields": ("is_active", "is_staff", "groups"),
                "description": "Staff may log in here; what they see and do follows from the "
                "roles. Untick Active instead of deleting a login: what a person did keeps "
                "their name.",
            },
        ),
        (
            "Exceptions",
            {
                "classes": ("collapse",),
                "fields": ("is_superuser", "user_permissions"),
                "description": "Beyond the roles. A superuser may do everything but decide "
                "what they entered themselves.",
            },
        ),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")

    def name(self, user: Any) -> str:
        return str(user.get_full_name())

    def roles(self, user: Any) -> str:
        return ", ".join(group.name for group in user.groups.all())

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return db_field.formfield(**boxes(db_field.name, request, **kwargs))


class AuditedGroupAdmin(AuditedGroup, GroupAdmin):
    filter_horizontal = ()

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any
    ) -> Any:
        return db_field.formfield(**boxes(db_field.name, request, **kwargs))


class SuperusersOnly:
    """A page for superusers only: what it changes decides who gets access."""

    def _may(self, request: HttpRequest) -> bool:
        user = request.user
        return bool(user.is_active and user.is_superuser)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request)


class SuperusersLook(ReadOnlyPermissions, SuperusersOnly):
    """The same, read-only: rows are written by services alone."""


class RequiredSecondFactorAdmin(SuperusersOnly, AuditedAdmin[RequiredSecondFactor]):
    """Members of a group listed here have to set up a second factor, at their next click."""

    list_display = ("group", "created_at")
    list_select_related = ("group",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
