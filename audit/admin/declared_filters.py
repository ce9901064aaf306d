"""The base class of every list of the admin: it filters by what its page offers, nothing else.

Django applies a lookup on any field of a row when the query string names it, and so tells a
value that no page shows character by character. Here what no filter of ``list_filter`` expects
is left out of the query, and the page says so. This holds for the exports, too, which read the
same change list. The module is in the lowest package that has an admin; ``core.admin.checks``
finds an admin without it.
"""

import logging
import re
from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.contrib.admin.filters import FieldListFilter, ListFilter
from django.contrib.admin.options import IS_FACETS_VAR, TO_FIELD_VAR, IncorrectLookupParameters
from django.contrib.admin.utils import get_fields_from_path, lookup_spawns_duplicates
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR, SEARCH_VAR, ChangeList
from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.text import capfirst

from audit.admin.typed import TypedAdmin

logger = logging.getLogger(__name__)

FIELD_LIKE = re.compile(r"[a-z_][a-z0-9_]{0,99}", re.ASCII)

LONGEST_SEARCH = 200  # characters: each word is a condition, and SQLite nests at most 1,000
MOST_VALUES = 50  # of one parameter, for the same reason
MOST_NAMED = 5  # in the message
LONGEST_NAME = 60  # characters, in the message


class DeclaredFiltersChangeList(ChangeList):
    """Applies the filters and the order that the page offers; ``ignored`` names the rest."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.ignored: list[str] = []
        super().__init__(request, *args, **kwargs)
        self.title = capfirst(str(self.lookup_opts.verbose_name_plural))

    def get_filters(
        self, request: HttpRequest
    ) -> tuple[list[ListFilter], bool, dict[str, bool | str], bool, bool]:
        """Make the declared filters; what none of them expects leaves the query string.

        Replaces Django's method, which returns the rest as lookups to apply.
        """
        left = self.get_filters_params()
        specs: list[ListFilter] = []
        may_have_duplicates = has_active_filters = False
        for declared in self.list_filter:
            before = set(left)
            spec, path = self._filter_of(declared, request, left)
            taken = before - set(left)
            if taken and not self._can_apply(spec, request):
                self._ignore(request, taken)
                spec, path = self._filter_of(declared, request, left)
                taken = set()
            if spec is None or not spec.has_output():
                self._ignore(request, taken)
                continue
            specs.append(spec)
            has_active_filters |= bool(taken)
            if taken and path:
                may_have_duplicates |= lookup_spawns_duplicates(self.lookup_opts, path)
        self._ignore(request, left)
        return specs, bool(specs), {}, may_have_duplicates, has_active_filters

    def _filter_of(
        self, declared: Any, request: HttpRequest, left: dict[str, Any]
    ) -> tuple[ListFilter | None, str | None]:
        """Make one filter of ``list_filter``, as Django does; it takes its values out of ``left``.

        Returns its path of fields, too, if it has one.
        """
        if callable(declared):
            return declared(request, left, self.model, self.model_admin), None
        field, make = declared, FieldListFilter.create
        if isinstance(declared, tuple | list):
            field, make = declared
        path = field.name if isinstance(field, Field) else field
        if not isinstance(field, Field):
            field = get_fields_from_path(self.model, path)[-1]
        made = make(field, request, left, self.model, self.model_admin, field_path=path)
        return made, path

    def _can_apply(self, spec: ListFilter | None, request: HttpRequest) -> bool:
        """Tell whether a field's filter takes its values; other filters judge them themselves."""
        if not isinstance(spec, FieldListFilter):
            return True
        try:
            spec.queryset(request, self.root_queryset)
        except IncorrectLookupParameters:
            return False
        return True

    def _ignore(self, request: HttpRequest, names: Iterable[str]) -> None:
        """Forget parameters, so that no link of the page has them."""
        gone = sorted(names)
        if not gone:
            return
        self.ignored += gone
        for name in gone:
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        drop_parameters(request, gone)
        self.preserved_filters = self.model_admin.get_preserved_filters(request)
        self.remove_facet_link = self.get_query_string(remove=[IS_FACETS_VAR])
        self.add_facet_link = self.get_query_string({IS_FACETS_VAR: True})

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Sort by the columns whose headings offer it, whatever the query string says."""
        asked = self.params.get(ORDER_VAR)
        if asked and not self._offers_order(asked):
            self._ignore(request, [ORDER_VAR])
        return super().get_ordering(request, queryset)

    def _offers_order(self, asked: str) -> bool:
        """Tell whether all parts of ``3.-1`` are columns to sort by, each named once."""
        numbers = [part.removeprefix("-") for part in asked.split(".")]
        if not all(n.isascii() and n.isdecimal() and len(n) <= 3 for n in numbers):
            return False
        columns = {int(number) for number in numbers}
        return len(columns) == len(numbers) and all(map(self._is_sortable, columns))

    def _is_sortable(self, column: int) -> bool:
        if column >= len(self.list_display):
            return False
        name = self.list_display[column]
        return name in (self.sortable_by or ()) and bool(self.get_ordering_field(name))

    def get_results(self, request: HttpRequest) -> None:
        try:
            super().get_results(request)
        except IncorrectLookupParameters:  # a page that is not there: show the first
            self.page_num = 1
            self._ignore(request, [PAGE_VAR])
            super().get_results(request)


class DeclaredFiltersAdmin[M: Model](TypedAdmin[M]):
    """Admin whose list filters by nothing but its ``list_filter``, and says what it ignored."""

    changelist_class: type[DeclaredFiltersChangeList] = DeclaredFiltersChangeList

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return self.changelist_class

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the change list of a page or an export; what it ignored is a message."""
        malformed = malformed_parameters(request.GET)
        to_field = request.GET.get(TO_FIELD_VAR)
        if to_field and not self.to_field_allowed(request, to_field):
            malformed.append(TO_FIELD_VAR)
        drop_parameters(request, malformed)
        changelist: Any = super().get_changelist_instance(request)
        ignored = sorted({*malformed, *changelist.ignored})
        if ignored:
            # Names only, of a form that fields have: others may be what somebody looks for.
            logger.warning(
                "A list was asked for what it does not offer",
                extra={
                    "list": self.opts.label,
                    "user": request.user.pk,
                    "ignored": [name if FIELD_LIKE.fullmatch(name) else "..." for name in ignored],
                },
            )
            self.message_user(request, ignored_said(ignored), messages.WARNING)
        return changelist

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Allow no lookup: only Django's own change list asks, which applies what is left."""
        return False

    def to_field_allowed(self, request: HttpRequest, to_field: str) -> bool:
        """Allow references by the primary key alone: another field is one to guess at."""
        return to_field == self.opts.pk.name

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        self._drop_to_field(request)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self._drop_to_field(request)
        return super().delete_view(request, object_id, extra_context)

    def _drop_to_field(self, request: HttpRequest) -> None:
        """Look the row up by its primary key where the query string names another field."""
        to_field = request.GET.get(TO_FIELD_VAR)
        if to_field and not self.to_field_allowed(request, to_field):
            drop_parameters(request, [TO_FIELD_VAR])


def malformed_parameters(given: Any) -> list[str]:
    """Return the names that no list takes: of what no database or search can answer."""
    return [
        name
        for name, values in given.lists()
        if len(values) > MOST_VALUES
        or any("\0" in text for text in (name, *values))
        or (name == SEARCH_VAR and any(len(text) > LONGEST_SEARCH for text in values))
    ]


def drop_parameters(request: HttpRequest, names: Iterable[str]) -> None:
    """Take parameters out of ``request.GET``, which the rest of the page reads."""
    gone = [name for name in names if name in request.GET]
    if not gone:
        return
    kept = request.GET.copy()
    for name in gone:
        del kept[name]
    request.GET = QueryDict(kept.urlencode())


def ignored_said(names: list[str]) -> str:
    """Return the message of a page that ignored parts of its address."""
    shown = [name.replace("\0", "") for name in names[:MOST_NAMED]]
    cut = [name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…" for name in shown]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"Ignored in this page's address, as the list does not offer it: {', '.join(cut)}{more}."
