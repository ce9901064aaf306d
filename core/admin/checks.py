"""Check that every admin on the site filters by what its list offers, and acts once for a form."""

from typing import Any

from django.contrib import admin
from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.http import HttpRequest

from audit.admin.base import ReadOnlyPermissions
from audit.admin.declared_filters import DeclaredFiltersAdmin, DeclaredFiltersChangeList
from core.admin.sent_once import SentOnceAdmin


@register(Tags.admin)
def lists_take_declared_filters(**_: Any) -> list[CheckMessage]:
    return [
        problem
        for model_admin in admin.site._registry.values()
        for problem in problems_of(model_admin)
    ]


def problems_of(model_admin: Any) -> list[CheckMessage]:
    """Return the errors of one admin: which of its parts lets other filters through."""
    name = type(model_admin).__name__
    if not isinstance(model_admin, DeclaredFiltersAdmin):
        return [
            checks.Error(
                f"{name} is registered, and filters its list by any field that a query string "
                "names.",
                hint="Derive it from NoDeleteAdmin, or from DeclaredFiltersAdmin.",
                obj=model_admin.model,
                id="core.E001",
            )
        ]
    found: list[CheckMessage] = []
    if not issubclass(model_admin.get_changelist(HttpRequest()), DeclaredFiltersChangeList):
        found.append(
            checks.Error(
                f"{name} has a change list that applies every lookup of a query string.",
                hint="Derive its changelist_class from DeclaredFiltersChangeList.",
                obj=model_admin.model,
                id="core.E002",
            )
        )
    if model_admin.date_hierarchy:
        found.append(
            checks.Error(
                f"{name} has a date hierarchy, whose parameters its list ignores.",
                hint="Declare a filter by time: a hierarchy reads every row of a long list.",
                obj=model_admin.model,
                id="core.E003",
            )
        )
    return found


@register(Tags.admin)
def forms_act_once(**_: Any) -> list[CheckMessage]:
    return [
        checks.Error(
            f"{type(model_admin).__name__} does what its forms say each time that one is sent.",
            hint="Derive it from NoDeleteAdmin, or from SentOnceAdmin.",
            obj=model_admin.model,
            id="core.E004",
        )
        for model_admin in admin.site._registry.values()
        if not acts_once(model_admin)
    ]


def acts_once(model_admin: Any) -> bool:
    """Tell whether a form of an admin that is sent twice does its thing once."""
    return isinstance(model_admin, SentOnceAdmin | ReadOnlyPermissions)
