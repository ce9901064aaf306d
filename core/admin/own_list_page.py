"""The page at which a person chooses the columns of a list and keeps its saved filters."""

from typing import Any

from django.apps import apps
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods

from core import own_lists
from core.admin.base import staff
from core.admin.own_lists import (
    OwnListAdmin,
    address_of,
    changelist_of,
    chosen_columns,
    column_labels,
    filter_now,
    list_page,
    own_row,
)
from core.admin.sent_once import answer_once, sent_before
from core.admin.view_helpers import admin_page
from core.errors import InvalidFields
from core.own_lists import LONGEST_NAME, MOST_FILTERS, SavedFilter

NOT_SEARCHED = "The search term is not saved: it may name a person."
LAST = 999  # the place of a column without one


def list_urls(site: AdminSite) -> list[URLPattern]:
    """Return the paths of the page, for the site that has the lists."""

    @require_http_methods(["GET", "HEAD", "POST"])
    def page(request: HttpRequest, app_label: str, model_name: str) -> HttpResponse:
        return own_list_page(request, site, app_label, model_name)

    return [
        path("lists/<str:app_label>/<str:model_name>/", site.admin_view(page), name="lists"),
    ]


def own_list_page(
    request: HttpRequest, site: AdminSite, app_label: str, model_name: str
) -> HttpResponse:
    """Show what this person keeps of a list; POST changes it, as the pressed button says."""
    model_admin = _admin_of(site, app_label, model_name)
    if not model_admin.has_view_or_change_permission(request):
        raise PermissionDenied
    if request.method != "POST":
        return _page(model_admin, request)
    if (again := sent_before(request)) is not None:
        return again
    act = ACTS.get(request.POST.get("do", ""))
    if act is None:
        raise Http404
    try:
        return answer_once(request, lambda: act(model_admin, request))
    except InvalidFields as refused:
        sentences = [sentence for found in refused.errors.values() for sentence in found]
        messages.error(request, " ".join(sentences))
        if act is not _save:
            return HttpResponseRedirect(request.get_full_path())
        return HttpResponseRedirect(_list(model_admin, request.POST.get("query", "")))


def _admin_of(site: AdminSite, app_label: str, model_name: str) -> OwnListAdmin[Any]:
    try:
        model_admin = site._registry.get(apps.get_model(app_label, model_name))
    except LookupError as error:
        raise Http404 from error
    if not isinstance(model_admin, OwnListAdmin) or not model_admin.is_list:
        raise Http404
    return model_admin


# --- What the buttons do ----------------------------------------------------------------------


def _save(model_admin: OwnListAdmin[Any], request: HttpRequest) -> HttpResponse:
    """Save what the list is filtered and sorted by; only what the list offers."""
    query = request.POST.get("query", "").removeprefix("?")
    changelist = changelist_of(model_admin, request, query)
    if changelist.ignored:
        messages.error(request, "The filter was not saved: the list does not offer all of it.")
        return HttpResponseRedirect(_list(model_admin, query))
    now = filter_now(changelist)
    if not now.query and not now.order:
        is_searched = bool(changelist.query.strip())
        why = NOT_SEARCHED if is_searched else "The list is not filtered or sorted."
        messages.error(request, f"There is nothing to save. {why}")
        return HttpResponseRedirect(_list(model_admin, query))
    saved = SavedFilter(
        request.POST.get("name", ""), now.query, now.order, opens="opens" in request.POST
    )
    own_lists.filter_save(user=staff(request), label=model_admin.opts.label_lower, saved=saved)
    messages.success(request, "The filter is saved. Its name is above the list.")
    if changelist.query.strip() and not model_admin.keeps_search:
        messages.info(request, NOT_SEARCHED)
    return HttpResponseRedirect(
        _list(model_admin, address_of(saved, changelist.list_display).removeprefix("?"))
    )


def _change_filters(model_admin: OwnListAdmin[Any], request: HttpRequest) -> HttpResponse:
    """Rename and delete saved filters, and choose the one that the list opens with."""
    before = request.POST.getlist("was")[:MOST_FILTERS]
    now = request.POST.getlist("name")[:MOST_FILTERS]
    own_lists.filters_change(
        user=staff(request),
        label=model_admin.opts.label_lower,
        names=dict(zip(before, now, strict=False)),
        deleted=request.POST.getlist("delete"),
        opens=request.POST.get("opens", ""),
    )
    messages.success(request, "The saved filters are changed.")
    return HttpResponseRedirect(request.get_full_path())


def _choose_columns(model_admin: OwnListAdmin[Any], request: HttpRequest) -> HttpResponse:
    """Show the ticked columns, by the numbers beside them."""
    offered = list(model_admin.all_columns(request))
    ticked = [name for name in offered if name in request.POST.getlist("show")]
    ticked.sort(key=lambda name: _place(request.POST.get(f"place-{name}", "")))
    columns = chosen_columns(offered, ticked)
    return _choose(model_admin, request, None if columns == offered else columns)


def _reset_columns(model_admin: OwnListAdmin[Any], request: HttpRequest) -> HttpResponse:
    """Show all columns again, in the order of the list."""
    return _choose(model_admin, request, None)


def _choose(
    model_admin: OwnListAdmin[Any], request: HttpRequest, columns: list[str] | None
) -> HttpResponse:
    own_lists.columns_choose(
        user=staff(request),
        label=model_admin.opts.label_lower,
        variant=model_admin.list_variant(request),
        columns=columns,
    )
    messages.success(request, "The list has the columns that you chose.")
    # Without the sort order, whose numbers are those of the columns before.
    kept = request.GET.copy()
    kept.pop("o", None)
    return HttpResponseRedirect(_list(model_admin, kept.urlencode()))


ACTS = {
    "save": _save,
    "filters": _change_filters,
    "columns": _choose_columns,
    "reset": _reset_columns,
}


def _place(typed: str) -> int:
    is_number = typed.isascii() and typed.isdecimal() and len(typed) <= 3
    return int(typed) if is_number else LAST


# --- What it shows ----------------------------------------------------------------------------


def _page(model_admin: OwnListAdmin[Any], request: HttpRequest) -> HttpResponse:
    opts = model_admin.opts
    row = own_row(request, opts.label_lower)
    offered = model_admin.all_columns(request)
    shown = list(model_admin.get_list_display(request))
    labels = column_labels(model_admin, offered)
    places = {name: at for at, name in enumerate(shown, start=1)}
    columns = [
        {"name": name, "label": label, "place": places.get(name), "is_first": name == offered[0]}
        for name, label in labels
    ]
    columns.sort(key=lambda column: column["place"] or LAST)
    asked = request.GET.urlencode()
    where = _list(model_admin, asked)
    with_boxes = model_admin.shown(request)
    filters = [
        {"filter": each, "url": f"{_list(model_admin)}{address_of(each, with_boxes)}"}
        for each in own_lists.filters_of(row)
    ]
    return admin_page(
        model_admin,
        request,
        "core/admin/own_list.html",
        title="Columns and saved filters",
        columns=columns,
        chosen=shown != list(offered),
        filters=filters,
        opens=any(each.opens for each in own_lists.filters_of(row)),
        longest=LONGEST_NAME,
        action=f"{list_page(opts)}{f'?{asked}' if asked else ''}",
        back=where,
    )


def _list(model_admin: OwnListAdmin[Any], query: str = "") -> str:
    """Return the address of the list, with a query string."""
    opts = model_admin.opts
    address = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
    query = query.removeprefix("?")
    return f"{address}?{query}" if query else address
