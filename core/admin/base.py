"""Base classes of every admin: nothing is deleted, and most of it is read-only."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from audit.admin.base import AuditedAdmin
from core.admin.paging import BoundedChangeList, BoundedPaginator


def staff(request: HttpRequest) -> User:
    """Return the signed-in member of staff; only behind ``admin_view``."""
    if not isinstance(request.user, User):
        raise TypeError("nobody is logged in")
    return request.user


def refuse_null_characters(request: HttpRequest) -> None:
    """Refuse null characters in a filter, which PostgreSQL would raise an error for."""
    if any("\0" in value for _, values in request.GET.lists() for value in values):
        raise BadRequest("Null characters are not allowed.")


class NoDeleteAdmin[M: Model](AuditedAdmin[M]):
    """Admin without deletion: no delete button, page or action, for superusers neither."""

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # a count for every choice reads every row
    list_per_page = 50
    nothing_said = ""  # shown for an empty list: what will be in it, and what to do

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
    """Read-only admin: services write these rows, never a form."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: Any = None,  # noqa: ARG002
    ) -> bool:
        return False
