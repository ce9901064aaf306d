"""The search in the header of every page: suggestions while typing, and a page with what was found.

Terms are sent in the body of a POST, because they are names, phone numbers and e-mail addresses,
which belong in no address that a log or a browser keeps. Suggestions look at references and names
only. Phone numbers and e-mail addresses are looked for when the form is sent, for those who may
have them shown, and the audit log says so.
"""

from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from applications.models import LoanApplication
from applications.search import SHORTEST, Found, applications_found, is_contact
from applications.services import access_log
from core.admin.base import staff
from core.errors import NotPermitted

VIEW = "applications.view_loanapplication"
SUGGESTED = 8
LISTED = 50
LONGEST = 254  # characters of a term; no name, address or reference is longer


def search_urls(site: AdminSite) -> list[URLPattern]:
    """Return the paths of the search, for the site that shows it on its pages."""

    def page(request: HttpRequest) -> HttpResponse:
        return search_page(request, site)

    return [
        path("search/", site.admin_view(page), name="search"),
        path("search/suggestions/", site.admin_view(suggestions), name="search_suggestions"),
    ]


def search_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show what was found; a single application opens at once. A GET shows how to search."""
    term = _term(request)
    found = Found([], more=False)
    if request.method == "POST" and term:
        try:
            found = _search(request, term)
        except NotPermitted as refused:
            messages.error(request, str(refused))
        else:
            if len(found.applications) == 1:
                return HttpResponseRedirect(_address(found.applications[0]))
    request.current_app = site.name
    context: dict[str, Any] = {
        **site.each_context(request),
        "title": "Search applications",
        "term": term,
        "found": found,
        "shortest": SHORTEST,
        "searched": request.method == "POST",
        "may_search_contact": staff(request).has_perm(access_log.REVEAL),
    }
    return TemplateResponse(request, "applications/admin/search.html", context)


@require_POST
def suggestions(request: HttpRequest) -> HttpResponse:
    """Answer ``{"found": [{"url", "reference", "name", "amount", "status"}], "more"}``."""
    found = applications_found(_term(request), most=SUGGESTED)
    shown = [
        {
            "url": _address(application),
            "reference": application.reference,
            "name": application.applicant_name,
            "amount": f"{application.loan_amount:,.2f} {application.currency}",
            "status": application.get_status_display(),
        }
        for application in found.applications
    ]
    return JsonResponse({"found": shown, "more": found.more})


@transaction.atomic
def _search(request: HttpRequest, term: str) -> Found:
    if not is_contact(term):
        return applications_found(term, most=LISTED)
    found = applications_found(term, most=LISTED, with_contact=True)
    access_log.contact_searched(
        user=staff(request),
        term=term,
        references=[application.reference for application in found.applications],
    )
    return found


def _term(request: HttpRequest) -> str:
    """Return the term of the form. Raises ``PermissionDenied`` for who may see no application."""
    if not staff(request).has_perm(VIEW):
        raise PermissionDenied
    return request.POST.get("term", "").strip()[:LONGEST]


def _address(application: LoanApplication) -> str:
    return reverse("admin:applications_loanapplication_change", args=[application.pk])
