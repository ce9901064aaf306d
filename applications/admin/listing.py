"""The list of applications: columns, filters, search and the actions on many at once.

``LoanApplicationAdmin`` adds the form and the page of one case.
"""

import re
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from applications.admin import bulk
from applications.admin.base import KeptAdmin, staff
from applications.admin.display import moment, money, status_badge
from applications.admin.filters import PastDays
from applications.models import LoanApplication
from applications.services import review

LOOKS_LIKE_REFERENCE = re.compile(r"LOAN-[A-Z0-9]{8}", re.IGNORECASE)


class ApplicationListAdmin(KeptAdmin[LoanApplication]):
    list_display = (
        "reference",
        "applicant_name",
        "amount",
        "status_shown",
        "step",
        "waiting",
        "partner",
        "created",
    )
    list_filter = ("status", "current_step", "waiting_on", PastDays, "partner")
    list_select_related = ("partner",)
    sortable_by = ("amount", "created")
    search_fields = ("reference", "applicant_name")
    search_help_text = "A whole reference, or how the applicant's name begins."
    actions = ("approve_selected", "decline_selected")
    nothing_said = (
        "Loan applications appear here as loan officers enter them and as partners send them in; "
        "each line shows where its case stands and who it waits for."
    )

    @admin.display(description="Amount", ordering="loan_amount")
    def amount(self, application: LoanApplication) -> SafeString:
        return money(application.loan_amount, application.currency)

    @admin.display(description="Status")
    def status_shown(self, application: LoanApplication) -> SafeString:
        return status_badge(application.status)

    @admin.display(description="Step", empty_value="")
    def step(self, application: LoanApplication) -> str:
        return application.get_current_step_display()

    @admin.display(description="Waiting on", empty_value="")
    def waiting(self, application: LoanApplication) -> str:
        if not application.waiting_on:
            return ""
        who = application.get_waiting_on_display()
        if application.waiting_until is None:
            return who
        return format_html(
            '{} <span class="quiet">until {}</span>', who, moment(application.waiting_until)
        )

    @admin.display(description="Created", ordering="created_at")
    def created(self, application: LoanApplication) -> SafeString:
        return moment(application.created_at)

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: QuerySet[LoanApplication],
        search_term: str,
    ) -> tuple[QuerySet[LoanApplication], bool]:
        """A whole reference, else the start of a name: both are one look into an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if LOOKS_LIKE_REFERENCE.fullmatch(term):
            return queryset.filter(reference=term.upper()), False
        return queryset.filter(applicant_name__istartswith=term), False

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """For the bulk actions: may this person decide anything that is decided in bulk?"""
        return review.may_decide_some(user=staff(request), kinds=bulk.KINDS)

    @admin.action(permissions=["decide"], description="Approve selected applications")
    def approve_selected(
        self, request: HttpRequest, queryset: QuerySet[LoanApplication]
    ) -> HttpResponse | None:
        return bulk.preview(self, request, queryset, outcome="approve")

    @admin.action(permissions=["decide"], description="Decline selected applications")
    def decline_selected(
        self, request: HttpRequest, queryset: QuerySet[LoanApplication]
    ) -> HttpResponse | None:
        return bulk.preview(self, request, queryset, outcome="decline")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"title": "Applications", **bulk.result_context(self, request)}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "decide/<str:outcome>/",
                self.admin_site.admin_view(bulk.decide_view),
                {"model_admin": self},
                name="applications_loanapplication_decide_selected",
            ),
            *super().get_urls(),
        ]
