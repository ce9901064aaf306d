"""Read how the office performs: money, the funnel of thirty days, and the decisions of each week.

Reads only, each figure from a range of an index that has all it needs. What is the same for
everybody: the front page keeps it for a minute.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, Q, Sum
from django.utils import timezone

from applications.choices import Status
from applications.models import LoanApplication
from audit.times import day_begins
from lending.choices import Outcome
from loanoffice.amounts import Amounts, amounts_of
from loanoffice.median import median_span

WEEKS = 4


@dataclass(frozen=True)
class Funnel:
    """The applications submitted in the period, and how many of them came how far."""

    submitted: int
    decided: int
    approved: int
    funded: int

    @property
    def stages(self) -> Sequence[tuple[str, int, str]]:
        """The name of each stage, its applications, and the query string of their list."""
        return (
            ("Submitted", self.submitted, ""),
            ("Decided", self.decided, "&decided=30"),
            ("Approved", self.approved, f"&outcome={Outcome.APPROVE}"),
            ("Funded", self.funded, f"&status__exact={Status.FUNDED}"),
        )


@dataclass(frozen=True)
class Week:
    """The decisions of one week, which begins on a Monday."""

    first: date
    decided: int
    approved: int
    median: timedelta | None  # from submission to decision

    @property
    def approval_rate(self) -> int | None:
        """The share that was approved, in whole percent; ``None`` when nothing was decided."""
        return round(100 * self.approved / self.decided) if self.decided else None


@dataclass(frozen=True)
class OfficeFigures:
    funded: Amounts  # in the period
    pending: Amounts  # what a manager is asked about now
    funnel: Funnel
    weeks: Sequence[Week]  # the newest first


def office_figures(*, now: datetime, days: int) -> OfficeFigures:
    """Read the figures of so many days up to today: three queries, and two or three a week."""
    today = timezone.localdate(now)
    since = day_begins(today - timedelta(days=days - 1))
    rows = LoanApplication.objects.order_by()
    return OfficeFigures(
        funded=_sums(Q(status=Status.FUNDED, closed_at__gte=since)),
        pending=_sums(Q(status=Status.PENDING_APPROVAL)),
        funnel=Funnel(
            **rows.filter(submitted_at__gte=since).aggregate(
                submitted=Count("*"),
                decided=Count("decided_at"),
                approved=Count("submitted_at", filter=Q(outcome=Outcome.APPROVE)),
                funded=Count("submitted_at", filter=Q(status=Status.FUNDED)),
            )
        ),
        weeks=[_week(today - timedelta(days=today.weekday() + 7 * back)) for back in range(WEEKS)],
    )


def _sums(condition: Q) -> Amounts:
    rows = LoanApplication.objects.filter(condition).values_list("currency")
    return amounts_of(rows.annotate(amount=Sum("loan_amount")).order_by())


def _week(first: date) -> Week:
    rows = LoanApplication.objects.order_by().filter(
        decided_at__gte=day_begins(first),
        decided_at__lt=day_begins(first + timedelta(days=7)),
        submitted_at__isnull=False,
    )
    counted = rows.aggregate(
        decided=Count("*"), approved=Count("decided_at", filter=Q(outcome=Outcome.APPROVE))
    )
    median = median_span(rows, start="submitted_at", end="decided_at")
    return Week(first=first, median=median, **counted)
