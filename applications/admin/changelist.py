"""The list of applications: columns, filters and search.

``LoanApplicationAdmin`` adds the form and the page of one application.
"""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin import ListFilter
from django.contrib.admin.views.main import (
    ORDER_VAR,
)
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from applications.admin.display import status_badge
from applications.admin.export import export_view
from applications.admin.filters import (
    AmountRange,
    ByOutcome,
    ByPartner,
    ByStatus,
    ByStep,
    ByWaitingOn,
    Closed,
    Decided,
    DecidedInWeek,
    Mine,
    PastDays,
    Submitted,
    searched_name,
)
from applications.models import LoanApplication
from applications.references import LOOKS_LIKE_REFERENCE
from applications.search_names import normalize
from applications.services.exports import EXPORT
from core.admin.base import staff
from core.admin.display import moment, money
from core.admin.live_lists import LiveListAdmin
from core.admin.orders import BY_STATUS, Order
from core.admin.paging import BoundedChangeList
from core.database import beginning

BY_CREATED = ("-created_at", "-id")
BY_NAME = ("applicant_search", *BY_CREATED)


class ApplicationChangeList(BoundedChangeList):
    """Sorts what a search by name found by name, whatever the query string says."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        order = super().get_ordering(request, queryset)
        if searched_name(request):
            return list(BY_NAME)
        return order if self.params.get(ORDER_VAR) else list(BY_CREATED)


class ApplicationListAdmin(LiveListAdmin[LoanApplication]):
    changelist_class = ApplicationChangeList
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
    # Each is the first column of an index that continues with the order of the list.
    list_filter: ClassVar[tuple[type[ListFilter], ...]] = (
        *(Mine, ByStatus, ByStep, ByWaitingOn, AmountRange, PastDays, ByPartner),
        *(Submitted, Decided, DecidedInWeek, Closed, ByOutcome),
    )
    # By status is by the word that is shown. Who waits longest is a question about one of them.
    orders = {
        "created": Order(("created_at", "id"), beside=None),
        "amount": Order(("loan_amount", "id"), beside=BY_STATUS),
        "status_shown": Order(("status", *BY_CREATED), beside=BY_STATUS),
        "waiting": Order(("waiting_until", "id"), needs="waiting_on__exact"),
    }
    counts_status = True
    list_select_related = ("partner",)
    search_fields = ("reference", "applicant_name")
    search_help_text = (
        "A whole reference, or how the applicant's name begins; accents and capitals do not "
        "matter. Found names are listed by name."
    )
    empty_list_text = (
        "Loan applications appear here as loan officers enter them and as partners send them in; "
        "each line shows where its application stands and who it waits for."
    )

    @admin.display(description="Amount", ordering="loan_amount")
    def amount(self, application: LoanApplication) -> SafeString:
        return money(application.loan_amount, application.currency)

    @admin.display(description="Status", ordering="status")
    def status_shown(self, application: LoanApplication) -> SafeString:
        return status_badge(application.status)

    @admin.display(description="Step", empty_value="")
    def step(self, application: LoanApplication) -> str:
        return application.get_current_step_display()

    @admin.display(description="Waiting on", empty_value="", ordering="waiting_until")
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
        self, request: HttpRequest, queryset: QuerySet[LoanApplication], search_term: str
    ) -> tuple[QuerySet[LoanApplication], bool]:
        """Find a whole reference, else the start of a name; both are one index lookup."""
        term = search_term.strip()
        if LOOKS_LIKE_REFERENCE.fullmatch(term):
            return queryset.filter(reference=term.upper()), False
        if not term:
            return queryset, False
        start = normalize(term)
        # A single accent normalizes to the empty string, which would match every name.
        found = (
            queryset.filter(**beginning("applicant_search", start)) if start else queryset.none()
        )
        return found, False

    def get_sortable_by(self, request: HttpRequest) -> Any:
        return () if searched_name(request) else super().get_sortable_by(request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            "title": "Loan applications",
            "can_export": staff(request).has_perm(EXPORT),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "export/",
                self.admin_site.admin_view(export_view),
                {"model_admin": self},
                name="applications_loanapplication_export",
            ),
            *super().get_urls(),
        ]
