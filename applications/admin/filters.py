"""Filters of the list of applications."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from applications.choices import IN_WORK, AmountBand, Status, Step, waiting_choices
from applications.models import LoanApplication
from applications.references import LOOKS_LIKE_REFERENCE
from audit.admin.filters import Lately
from audit.times import day_begins
from core.database import NotLookedUp
from lending.choices import Outcome
from partners.models import Partner


def searched_name(request: HttpRequest) -> str:
    """Return the name that is searched for; empty for no search or for a whole reference."""
    term = str(request.GET.get(SEARCH_VAR, "")).strip()
    return "" if LOOKS_LIKE_REFERENCE.fullmatch(term) else term


def narrowed(
    request: HttpRequest, rows: QuerySet[LoanApplication], **only: object
) -> QuerySet[LoanApplication]:
    """Return ``rows.filter(**only)``; next to a search by name, without using an index for it."""
    if not searched_name(request):
        return rows.filter(**only)
    for lookup, value in only.items():
        name, _, way = lookup.partition("__")
        alias = f"filter_{name}"
        rows = rows.alias(**{alias: NotLookedUp(name)}).filter(
            **{f"{alias}__{way or 'exact'}": value}
        )
    return rows


class OneOf(admin.SimpleListFilter):
    """Filter by one value of a field, with the query string of Django's own filter."""

    field: str
    options: Sequence[tuple[str, Any]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, str(label)) for value, label in self.options]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[LoanApplication]
    ) -> QuerySet[LoanApplication]:
        if self.value() is None:
            return queryset
        return narrowed(request, queryset, **{self.field: self.value()})


class ByStatus(OneOf):
    title = "status"
    parameter_name = "status__exact"
    field = "status"
    options = Status.choices


class ByStep(OneOf):
    title = "current step"
    parameter_name = "current_step__exact"
    field = "current_step"
    options = Step.choices


class ByWaitingOn(OneOf):
    title = "waiting on"
    parameter_name = "waiting_on__exact"
    field = "waiting_on"
    options = waiting_choices()


class ByOutcome(OneOf):
    """Filter by the decision. The front page leads here; the list offers none."""

    title = "decision"
    parameter_name = "outcome"
    field = "outcome"
    options = Outcome.choices

    def has_output(self) -> bool:
        return self.value() in Outcome


class Mine(admin.SimpleListFilter):
    """Filter by who entered the application: the person who looks."""

    title = "entered by me"
    parameter_name = "mine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        if not request.user.has_perm("applications.add_loanapplication"):
            return []
        return [("yes", "All of mine"), ("in_work", "Mine, submitted and not closed")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[LoanApplication]
    ) -> QuerySet[LoanApplication]:
        if self.value() is None:
            return queryset
        mine = narrowed(request, queryset, created_by=request.user.pk)
        return narrowed(request, mine, status__in=IN_WORK) if self.value() == "in_work" else mine


class PastDays(Lately):
    """Created in the past N days: an index range, where a date hierarchy reads every row."""

    title = "created"

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[LoanApplication]
    ) -> QuerySet[LoanApplication]:
        since = self.since()
        return queryset if since is None else narrowed(request, queryset, created_at__gte=since)


class DaysOf(admin.SimpleListFilter):
    """Filter by the local days of a moment. The front page leads here; the list offers none.

    With every status a count by one of these moments may read every row.
    """

    field: str
    DAYS = {"1": "Today", "30": "Past 30 days, with today"}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(self.DAYS.items())

    def has_output(self) -> bool:
        return self.value() in self.DAYS

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[LoanApplication]
    ) -> QuerySet[LoanApplication]:
        first = timezone.localdate() - timedelta(days=int(self.value() or 1) - 1)
        return narrowed(request, queryset, **{f"{self.field}__gte": day_begins(first)})


class Submitted(DaysOf):
    title = parameter_name = "submitted"
    field = "submitted_at"


class Decided(DaysOf):
    title = parameter_name = "decided"
    field = "decided_at"


class Closed(DaysOf):
    title = parameter_name = "closed"
    field = "closed_at"


class DecidedInWeek(admin.SimpleListFilter):
    """Filter by the week of the decision. The front page leads here; the list offers none."""

    title = "week of the decision"
    parameter_name = "decided_week"
    WEEKS = {"0": "This week", "1": "Last week", "2": "Two weeks ago", "3": "Three weeks ago"}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(self.WEEKS.items())

    def has_output(self) -> bool:
        return self.value() in self.WEEKS

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[LoanApplication]
    ) -> QuerySet[LoanApplication]:
        today = timezone.localdate()
        first = today - timedelta(days=today.weekday() + 7 * int(self.value() or 0))
        begun = narrowed(request, queryset, decided_at__gte=day_begins(first))
        return narrowed(request, begun, decided_at__lt=day_begins(first + timedelta(days=7)))


class AmountRange(admin.SimpleListFilter):
    """Filter by band of the amount: an indexed column, because a range would lose the order."""

    title = "amount"
    parameter_name = "amount"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(band.value), str(band.label)) for band in AmountBand]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[LoanApplication]
    ) -> QuerySet[LoanApplication]:
        if self.value() not in {str(band.value) for band in AmountBand}:
            return queryset
        return narrowed(request, queryset, amount_band=int(self.value() or 0))


class ByPartner(admin.SimpleListFilter):
    """Filter by partner. A few partners are choices; the list of partners has all of them."""

    title = "partner"
    parameter_name = "partner__id__exact"
    STAFF = "none"
    MOST = 20

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the first partners by name and the chosen one: two small queries."""
        found = list(Partner.objects.order_by("name").values_list("pk", "name")[: self.MOST + 1])
        may = request.user.has_perm("partners.view_partner")
        self.has_more, found = len(found) > self.MOST and may, found[: self.MOST]
        chosen = self.chosen
        if chosen is not None and chosen not in dict(found):
            found += Partner.objects.filter(pk=chosen).values_list("pk", "name")
        return [(self.STAFF, "None: typed in by staff"), *((str(pk), name) for pk, name in found)]

    @property
    def chosen(self) -> int | None:
        """The primary key in the query string, if it is one."""
        value = self.value() or ""
        return int(value) if value.isascii() and value.isdecimal() and len(value) <= 18 else None

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[LoanApplication]
    ) -> QuerySet[LoanApplication]:
        if self.value() is None:
            return queryset
        if self.value() == self.STAFF:
            return narrowed(request, queryset, partner__isnull=True)
        if self.chosen is None:
            return queryset.none()
        return narrowed(request, queryset, partner=self.chosen)

    def choices(self, changelist: Any) -> Any:
        yield from super().choices(changelist)
        if self.has_more:
            yield {
                "selected": False,
                "query_string": reverse("admin:partners_partner_changelist"),
                "display": "Another partner…",
            }
