"""Lists of the admin as each person keeps them: own columns, and filters saved under names.

``OwnListAdmin`` is part of the base class of every list that people work with. What a filter may
hold is decided by the change list that it is made for: only what that offers is saved, and what it
offers no longer is ignored as in any other address, with a sentence that names the filter.
"""

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.contrib import messages
from django.contrib.admin.utils import label_for_field
from django.contrib.admin.views.main import ORDER_VAR, SEARCH_VAR
from django.contrib.auth.models import User
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse

from audit.admin.declared_filters import DeclaredFiltersAdmin, DeclaredFiltersChangeList
from core import own_lists
from core.models import OwnList
from core.own_lists import SavedFilter

LISTS = "admin:lists"
CHECKBOX = "action_checkbox"


class OwnChangeList(DeclaredFiltersChangeList):
    """A change list with what its person keeps of it, as ``own``."""

    model_admin: Any

    def __init__(self, request: HttpRequest, model: type[Model], *args: Any) -> None:
        self.own = Kept(request, model._meta.label_lower)
        super().__init__(request, model, *args)
        self.own.changelist = self

    def get_query_string(self, new_params: Any = None, remove: Any = None) -> str:
        """Return Django's; never an empty one where a saved filter would open the list."""
        query = super().get_query_string(new_params, remove)
        return f"?{ORDER_VAR}=" if query == "?" and self.own.opens_with is not None else query


@dataclass(frozen=True)
class Link:
    """A saved filter as it is shown above the list."""

    name: str
    url: str
    is_current: bool


class Kept:
    """The list as the person of a request keeps it; read once for each request."""

    changelist: OwnChangeList

    def __init__(self, request: HttpRequest, label: str) -> None:
        self.request, self.label = request, label

    @cached_property
    def row(self) -> OwnList:
        return own_row(self.request, self.label)

    @cached_property
    def saved(self) -> list[SavedFilter]:
        return own_lists.filters_of(self.row)

    @property
    def opens_with(self) -> SavedFilter | None:
        return next((each for each in self.saved if each.opens), None)

    # --- For the template -------------------------------------------------------------------

    @cached_property
    def now(self) -> SavedFilter:
        """The filters and the order of the list now, without a name."""
        return filter_now(self.changelist)

    @cached_property
    def links(self) -> list[Link]:
        now = self.now
        shown = self.changelist.list_display
        return [
            Link(
                each.name,
                address_of(each, shown) or self.everything,
                (each.query, each.order) == (now.query, now.order),
            )
            for each in self.saved
        ]

    @property
    def everything(self) -> str:
        """The address of the list without a filter."""
        return self.changelist.get_query_string(remove=[*self.changelist.params])

    @property
    def may_save(self) -> bool:
        """Tell whether there is something to save that is not saved yet."""
        is_something = bool(self.now.query or self.now.order)
        return is_something and not any(link.is_current for link in self.links)

    @property
    def page(self) -> str:
        """The address of the page for columns and saved filters."""
        query = self.changelist.get_query_string()
        return f"{list_page(self.changelist.opts)}{query if query != '?' else ''}"


class OwnListAdmin[M: Model](DeclaredFiltersAdmin[M]):
    """Admin whose list has the columns and the saved filters of the person who looks."""

    changelist_class: type[DeclaredFiltersChangeList] = OwnChangeList
    is_list = True  # false where a page of another kind is shown in place of the list
    # Whether a search term is saved with a filter: not where it may be an applicant's name.
    keeps_search = False

    def all_columns(self, request: HttpRequest) -> Sequence[Any]:
        """Return the columns that this person may choose from; the first one is always shown."""
        return self.list_display

    def list_variant(self, request: HttpRequest) -> str:
        """Return which of several sets of columns the request asks for, where there are several."""
        return ""

    def get_list_display(self, request: HttpRequest) -> Any:
        offered = self.all_columns(request)
        kept = own_row(request, self.opts.label_lower).columns.get(self.list_variant(request))
        return offered if kept is None else chosen_columns(offered, kept)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, or lead to the filter with which this person opens it."""
        if request.method == "GET" and not request.GET:
            opens_with = Kept(request, self.opts.label_lower).opens_with
            if opens_with is not None:
                address = address_of(opens_with, self.shown(request))
                if address:
                    return HttpResponseRedirect(address)
        return super().changelist_view(request, extra_context)

    def shown(self, request: HttpRequest) -> list[Any]:
        """Return the columns as a change list counts them, with that of the checkboxes."""
        boxes = [CHECKBOX] if self.get_actions(request) else []
        return [*boxes, *self.get_list_display(request)]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        asked = request.GET.urlencode()
        changelist = super().get_changelist_instance(request)
        if changelist.ignored:
            for name in _names_of(changelist, asked):
                self.message_user(
                    request,
                    f"The saved filter “{name}” holds something that this list does not offer any "
                    "more. The rest of it is applied. Save it anew, or delete it.",
                    messages.WARNING,
                )
        return changelist


def own_row(request: HttpRequest, label: str) -> OwnList:
    """Return what the person of a request keeps of a list.

    One query, and none for a person of whom it is known that they keep nothing.
    """
    user = request.user
    if not isinstance(user, User) or not getattr(user, "keeps_lists", True):
        return OwnList(label=label)
    known: dict[str, OwnList] = request.__dict__.setdefault("_own_lists", {})
    if label not in known:
        known[label] = own_lists.own_list_of(user=user, label=label)
    return known[label]


def chosen_columns(offered: Sequence[Any], chosen: Iterable[str]) -> list[Any]:
    """Return the chosen ones of the offered columns, in their order; the first is always there."""
    first, *others = offered
    return [first, *(name for name in dict.fromkeys(chosen) if name in others)]


def column_labels(model_admin: OwnListAdmin[Any], columns: Sequence[Any]) -> list[tuple[str, str]]:
    """Return the names and the headings of columns."""
    model = model_admin.model
    labels = [str(label_for_field(name, model, model_admin)) for name in columns]
    return [
        (name, f"{label[:1].upper()}{label[1:]}")
        for name, label in zip(columns, labels, strict=True)
    ]


def list_page(opts: Any) -> str:
    return reverse(LISTS, args=[opts.app_label, opts.model_name])


def filter_now(changelist: OwnChangeList) -> SavedFilter:
    """Return what a change list is filtered and sorted by, without a name."""
    pairs = [
        (name, value)
        for name, values in changelist.get_filters_params().items()
        for value in (values if isinstance(values, list) else [values])
    ]
    if changelist.model_admin.keeps_search and changelist.query.strip():
        pairs.append((SEARCH_VAR, changelist.query.strip()))
    return SavedFilter("", urlencode(sorted(pairs)), order_names(changelist))


def order_names(changelist: OwnChangeList) -> tuple[str, ...]:
    """Return the columns that the address asks to sort by, by name."""
    parts = [part for part in changelist.params.get(ORDER_VAR, "").split(".") if part]
    columns = changelist.list_display
    return tuple(
        f"{'-' if part.startswith('-') else ''}{columns[int(part.removeprefix('-'))]}"
        for part in parts
    )


def address_of(saved: SavedFilter, shown: Sequence[Any]) -> str:
    """Return the query string of a filter, for a list that shows these columns; maybe empty."""
    places = {name: at for at, name in enumerate(shown)}
    order = [
        f"{'-' if name.startswith('-') else ''}{places[name.removeprefix('-')]}"
        for name in saved.order
        if name.removeprefix("-") in places
    ]
    pairs = [*parse_qsl(saved.query), *([(ORDER_VAR, ".".join(order))] if order else [])]
    return f"?{urlencode(pairs)}" if pairs else ""


def changelist_of(
    model_admin: OwnListAdmin[Any], request: HttpRequest, query: str
) -> OwnChangeList:
    """Return the change list that a page has with this query string."""
    asked = copy(request)
    asked.method, asked.GET = "GET", QueryDict(query)
    changelist: OwnChangeList = model_admin.get_changelist_instance(asked)
    return changelist


def _names_of(changelist: OwnChangeList, asked: str) -> list[str]:
    """Return the names of the saved filters that an address is of."""
    wanted = sorted(parse_qsl(asked))
    shown = changelist.list_display
    return [
        each.name
        for each in changelist.own.saved
        if sorted(parse_qsl(address_of(each, shown).removeprefix("?"))) == wanted
    ]
