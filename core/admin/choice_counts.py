"""Count the rows beside the choices of a filter by status: on demand, and never beyond a limit.

Each choice is counted in the index that its filter uses, up to ``MOST`` and one more, all in one
statement. Beside another filter there are no counts: they would read the rows.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.contrib.admin.options import IS_FACETS_VAR
from django.contrib.auth.models import User
from django.db.models import IntegerField, QuerySet, Subquery
from django.http import HttpRequest

from core.admin.orders import BY_STATUS, NO_FILTERS, OrderedChangeList

MOST = 1_000


class CountOf(Subquery):
    """The number of rows of a query, which is limited."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


class CountedChangeList(OrderedChangeList):
    """Shows counts beside the choices of the filter by status where a person asks for them."""

    def get_filters(self, request: HttpRequest) -> Any:
        found = super().get_filters(request)
        self.offers_counts = self._may_count(request)
        self.shows_counts = self.offers_counts and IS_FACETS_VAR in request.GET
        if self.shows_counts:
            for spec in found[0]:
                if set(spec.expected_parameters()) & BY_STATUS:
                    self._count(request, spec)
        return found

    def _may_count(self, request: HttpRequest) -> bool:
        asked = {name for name, value in request.GET.items() if value}
        return self.model_admin.counts_status and asked <= NO_FILTERS | BY_STATUS | {IS_FACETS_VAR}

    def _count(self, request: HttpRequest, spec: Any) -> None:
        """Let a filter write the count behind each choice but the first, which is everything."""
        field: Any = self.model._meta.get_field("status")
        counts = counts_of(request, self.root_queryset, [value for value, _ in field.flatchoices])
        spec.choices = with_counts(spec.choices, counts)

    @property
    def counts_link(self) -> str:
        """The address that shows the counts, or hides them."""
        if self.shows_counts:
            return self.get_query_string(remove=[IS_FACETS_VAR])
        return self.get_query_string({IS_FACETS_VAR: "yes"})


def counts_of(request: HttpRequest, rows: QuerySet[Any], statuses: Sequence[str]) -> list[str]:
    """Return ``37``, or ``1,000+``, for each status: one statement."""
    asked = {
        f"count_{at}": CountOf(rows.filter(status=status).order_by().values("pk")[: MOST + 1])
        for at, status in enumerate(statuses)
    }
    person: Any = request.user
    me = User.objects.filter(pk=person.pk).annotate(**asked)
    numbers = me.values_list(*asked).get()
    return [f"{MOST:,}+" if number > MOST else f"{number:,}" for number in numbers]


def with_counts(
    choices: Callable[[Any], Iterator[dict[str, Any]]], counts: Sequence[str]
) -> Callable[[Any], Iterator[dict[str, Any]]]:
    """Return the choices of a filter with the counts behind their words."""

    def counted(changelist: Any) -> Iterator[dict[str, Any]]:
        everything, *others = choices(changelist)
        yield everything
        for choice, count in zip(others, counts, strict=True):
            yield {**choice, "display": f"{choice['display']} ({count})"}

    return counted
