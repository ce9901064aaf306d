"""Compute the exact median of many durations, in the fastest way of each database."""

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Aggregate, DurationField, F, FloatField, Func, Model, QuerySet


class Percentile(Aggregate):
    """PostgreSQL's ``percentile_cont``: interpolates between the two in the middle."""

    function = "percentile_cont"
    template = "%(function)s(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = DurationField()


def median_span(rows: "QuerySet[Model]", *, start: str, end: str) -> timedelta | None:
    """Compute the median of ``end - start`` over ``rows``; ``None`` when there is none."""
    if connection.vendor == "postgresql":
        span = Percentile(F(end) - F(start), fraction=0.5)
        found: timedelta | None = rows.aggregate(median=span)["median"]
        return found
    return _middle(rows, start, end)


def _middle(rows: "QuerySet[Model]", start: str, end: str) -> timedelta | None:
    """SQLite has no percentile: sort by the duration, and take the one or two in the middle."""
    many = rows.count()
    if not many:
        return None
    first = (many - 1) // 2
    middle: list[tuple[datetime, datetime]] = list(
        rows.annotate(span=_days(end) - _days(start))
        .order_by("span")
        .values_list(end, start)[first : many // 2 + 1]
    )
    spans = [ended - started for ended, started in middle]
    return sum(spans, timedelta()) / len(spans)


def _days(field: str) -> Func:
    """A time as a number, by SQLite itself: Django would call Python for every row."""
    return Func(F(field), function="julianday", output_field=FloatField())
