"""Read what was chosen for a bulk decision: applications, or tasks, which stand for theirs."""

from typing import Any

from django.db.models import QuerySet

from applications.models import LoanApplication
from reviews.models import ReviewTask

type Chosen = QuerySet[LoanApplication] | QuerySet[ReviewTask]

# Beyond this the page says "more than".
MOST_COUNTED = 10_000


def tasks_of(chosen: Chosen) -> QuerySet[ReviewTask]:
    """Return the tasks that were chosen, or those of the applications that were."""
    if issubclass(chosen.model, ReviewTask):
        return chosen
    return ReviewTask.objects.filter(application__in=chosen.order_by().values("pk"))


def application_keys(chosen: Chosen, *, most: int) -> list[int]:
    """Return the primary keys of the first applications, each once."""
    return list(_keys(chosen)[:most])


def counted_text(chosen: Chosen) -> str:
    """Return how many applications were chosen, for a sentence."""
    found = _keys(chosen)[: MOST_COUNTED + 1].count()
    return f"{found:,}" if found <= MOST_COUNTED else f"More than {MOST_COUNTED:,}"


def _keys(chosen: Chosen) -> "QuerySet[Any, int]":
    key = "application_id" if issubclass(chosen.model, ReviewTask) else "pk"
    return chosen.order_by(key).values_list(key, flat=True).distinct()
