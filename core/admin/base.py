"""Base classes of every admin: nothing is deleted, and most of it is only read."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from audit.admin.base import AuditedAdmin
from core.admin.paging import BoundedChangeList, BoundedPaginator


def staff(request: HttpRequest) -> User:
    """Who is logged in; only behind ``admin_view``, which lets nobody else in."""
    if not isinstance(request.user, User):
        raise TypeError("nobody is logged in")
    return request.user


def refuse_null_characters(request: HttpRequest) -> None:
    """A filter hands on what it is given, and PostgreSQL refuses null characters."""
    if any("\0" in value for _, values in request.GET.lists() for value in values):
        raise BadRequest("Null characters are not allowed.")


class NoDeleteAdmin[M: Model](AuditedAdmin[M]):
    """Rows stay: there is no delete button, page or action, for superusers neither."""

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # a count for every choice reads every row
    list_per_page = 50
    nothing_said = ""  # what will be in this list, and what to do, where it is empty

    changelist_class: type[BoundedChangeList] = BoundedChangeList

    def get_changelist(
        self,
        request: HttpRequest,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> type[BoundedChangeList]:
        return self.changelist_class

    def has_delete_permission(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: Any = None,  # noqa: ARG002
    ) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        refuse_null_characters(request)
        return super().changelist_view(
            request, {"nothing_said": self.nothing_said, **(extra_context or {})}
        )


class ReadOnlyAdmin[M: Model](NoDeleteAdmin[M]):
    """A mirror to look into: services write these rows, never a form."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: Any = None,  # noqa: ARG002
    ) -> bool:
        return False
