"""Base classes of every admin: nothing is deleted, and most of it is read-only."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from audit.admin.base import AuditedAdmin, ReadOnlyPermissions
from core.admin.number_fields import NUMBER_FIELDS
from core.admin.orders import Order
from core.admin.own_lists import OwnListAdmin
from core.admin.paging import BoundedChangeList, BoundedPaginator
from core.admin.sent_once import SentOnceAdmin
from core.admin.view_helpers import admin_page


def staff(request: HttpRequest) -> User:
    """Return the signed-in member of staff; only behind ``admin_view``."""
    if not isinstance(request.user, User):
        raise TypeError("nobody is logged in")
    return request.user


class NoDeleteAdmin[M: Model](SentOnceAdmin[M], OwnListAdmin[M], AuditedAdmin[M]):
    """Admin without deletion: no delete button, page or action, for superusers neither."""

    formfield_overrides = NUMBER_FIELDS
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # a count for every choice reads every row
    list_per_page = 50
    empty_list_text = ""  # shown in an empty list: what appears in it, and what to do

    changelist_class: type[BoundedChangeList] = BoundedChangeList
    # The columns that the list can be sorted by; without any, Django's rules hold.
    orders: Mapping[str, Order] = {}
    # Whether rows are counted by status on demand: where an index begins with it.
    counts_status = False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_sortable_by(self, request: HttpRequest) -> Any:
        if not self.orders:
            return super().get_sortable_by(request)
        return tuple(name for name, order in self.orders.items() if order.is_offered(request))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(
            request, {"empty_list_text": self.empty_list_text, **(extra_context or {})}
        )


class ReadOnlyAdmin[M: Model](ReadOnlyPermissions, NoDeleteAdmin[M]):
    """Read-only admin: services write these rows, never a form."""


class ReadOnlyPageAdmin[M: Model](ReadOnlyAdmin[M]):
    """Shows a row on a page with a template of its own, in place of Django's form."""

    page_template = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse at import a class that has forgotten its template or its context."""
        super().__init_subclass__(**kwargs)
        for name in ("page_template", "page_context"):
            if getattr(cls, name) == getattr(ReadOnlyPageAdmin, name):
                raise TypeError(f"{cls.__name__} shows a page of its own and needs {name}.")

    def page_context(self, request: HttpRequest, row: M) -> dict[str, Any]:
        """Return the template's context; ``title`` is required."""
        raise NotImplementedError

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        if row is None:
            return self._get_obj_does_not_exist_redirect(  # type: ignore[attr-defined,no-any-return]
                request, self.opts, object_id
            )
        if request.method not in {"GET", "HEAD"} or not self.has_view_permission(request, row):
            raise PermissionDenied
        context = self.page_context(request, row)
        return admin_page(self, request, self.page_template, original=row, **context)
