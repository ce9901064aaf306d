"""Logins and roles in the admin: Django's own pages, with boxes to tick.

Its lists that move things from left to right cannot be used with a screen reader.
"""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Permission
from django.http import HttpRequest

if TYPE_CHECKING:
    PermissionFieldBase = forms.ModelMultipleChoiceField[Permission]
else:
    PermissionFieldBase = forms.ModelMultipleChoiceField


class PermissionField(PermissionFieldBase):
    """Permissions by what they are about, in words."""

    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, obj: Permission) -> str:
        return f"{obj.content_type.app_label}: {obj.name}"


def boxes(field: str, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:  # noqa: ARG001
    """How a many-to-many field is shown: as boxes to tick."""
    if field in {"permissions", "user_permissions"}:
        kwargs["form_class"] = PermissionField
        kwargs["queryset"] = Permission.objects.select_related("content_type")
    return {**kwargs, "widget": forms.CheckboxSelectMultiple}


class StaffAdmin(UserAdmin):
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


class RoleAdmin(GroupAdmin):
    filter_horizontal = ()

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return db_field.formfield(**boxes(db_field.name, request, **kwargs))
