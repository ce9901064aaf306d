"""The columns that a long list is sorted by: those for which an index has the order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.views.main import ALL_VAR, ERROR_FLAG, ORDER_VAR, PAGE_VAR
from django.db.models import QuerySet
from django.db.models.expressions import OrderBy
from django.http import HttpRequest

from core.admin.own_lists import OwnChangeList

# Parameters of a list that filter nothing.
NO_FILTERS = frozenset({ORDER_VAR, PAGE_VAR, ALL_VAR, ERROR_FLAG})
# The parameter of the filter by status, which most indexes of lists begin with.
BY_STATUS = frozenset({"status__exact"})


@dataclass(frozen=True)
class Order:
    """The ascending order of a column, and the filters beside which an index has it.

    ``beside`` are the parameters of these filters, ``None`` for every filter; of ``needs`` one is
    required. A column is not sorted by beside another filter: that would sort all its rows.
    """

    by: Sequence[str | OrderBy]
    beside: frozenset[str] | None = frozenset()
    needs: str = ""

    def is_offered(self, request: HttpRequest) -> bool:
        asked = {name for name, value in request.GET.items() if value} - NO_FILTERS
        if self.needs and self.needs not in asked:
            return False
        return self.beside is None or asked <= self.beside | {self.needs}

    def descending(self) -> list[str | OrderBy]:
        return [reverse(each) for each in self.by]


def reverse(part: str | OrderBy) -> str | OrderBy:
    """Return the opposite of one part of an order."""
    if isinstance(part, str):
        return part.removeprefix("-") if part.startswith("-") else f"-{part}"
    other = part.copy()
    other.reverse_ordering()
    return other


class OrderedChangeList(OwnChangeList):
    """Sorts as the ``orders`` of its admin say, whatever a query string asks for."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        default = super().get_ordering(request, queryset)
        asked = self.params.get(ORDER_VAR, "").split(".")[0]
        orders: dict[str, Order] = self.model_admin.orders
        if not asked or not orders:
            return default
        order = orders[str(self.list_display[int(asked.removeprefix("-"))])]
        return order.descending() if asked.startswith("-") else list(order.by)
