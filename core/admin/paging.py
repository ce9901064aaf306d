"""Paginator and change list of long lists: rows are not counted beyond a limit."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from core.admin.choice_counts import CountedChangeList

if TYPE_CHECKING:
    RowsPaginator = Paginator[Any]
else:
    RowsPaginator = Paginator

MOST = 10_000  # rows


class BoundedPaginator(RowsPaginator):
    """Count up to ``MOST`` and stop; ``is_cut`` is true when there is more.

    The page shows that too, and asks for a narrower search.
    """

    most = MOST

    @cached_property
    def count(self) -> int:
        return min(self._found, self.most)

    @property
    def is_cut(self) -> bool:
        return self._found > self.most

    @property
    def most_text(self) -> str:
        return f"{self.most:,}"

    @cached_property
    def _found(self) -> int:
        found: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return found.order_by().values("pk")[: self.most + 1].count()


class BoundedChangeList(CountedChangeList):
    """A list that fetches as many rows as it shows, also when they fit on one page.

    Django would fetch all of them then; a database that takes a rare combination for a common
    one expects many, and reads and sorts the whole table for the few.
    """

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.multi_page or (self.show_all and self.can_show_all):
            self.result_list = self.queryset[: self.result_count]
