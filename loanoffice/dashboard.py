"""Read the front page's figures for one person: figures, charts, the oldest open tasks.

Reads only. What is the same for everybody is read once a minute (Django's cache), and from
indexes: figures over thirty days never touch the table of applications. The tasks of a
person are read each time. Days are those of ``TIME_ZONE``.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, cast

from django.contrib.auth.models import User
from django.core.cache import cache
from django.db.models import Count, Q, QuerySet, Value
from django.db.models.fields import IntegerField
from django.utils import timezone

from accounts import proposals
from applications.choices import Status
from applications.models import LoanApplication
from audit.selectors import SealStatus, seal_status
from audit.times import day_begins
from loanoffice.median import median_span
from loanoffice.office_figures import OfficeFigures, office_figures
from loanoffice.own_work import (
    MOST_WAITING,
    OwnApplications,
    OwnDecisions,
    PartnerWork,
    PolicyWork,
    RecordWork,
    Stuck,
    incidents_unresolved,
    own_applications,
    own_decisions,
    partner_work,
    policy_work,
    record_work,
    stuck,
)
from reviews.choices import TaskKind, TaskStatus
from reviews.models import ReviewTask
from reviews.selectors import AGES, of_age
from reviews.services import decisions
from workflows.models import Incident
from workflows.sweep_runs import SweepWarnings, sweep_run_last, warnings_of

DAYS = 30
KEPT_FOR = 60  # seconds
OLDEST = 8


@dataclass(frozen=True)
class Day:
    """Numbers of applications by event on one local day."""

    day: date
    submitted: int
    funded: int
    declined: int


@dataclass(frozen=True)
class Flow:
    """The past thirty days up to today, and the median time from submission to decision."""

    days: Sequence[Day]
    median: timedelta | None

    @property
    def today(self) -> Day:
        return self.days[-1]

    @property
    def total(self) -> Day:
        """Sum all days, under the first day."""
        return Day(
            day=self.days[0].day,
            submitted=sum(each.submitted for each in self.days),
            funded=sum(each.funded for each in self.days),
            declined=sum(each.declined for each in self.days),
        )


@dataclass(frozen=True)
class Age:
    """The number of open tasks in one age group."""

    label: str
    tasks: int


@dataclass(frozen=True)
class OpenTasks:
    """All open tasks: how many are overdue, and their ages."""

    overdue: int
    ages: Sequence[Age]

    @property
    def open(self) -> int:
        return sum(age.tasks for age in self.ages)


@dataclass(frozen=True)
class OldTask:
    """An open task; true when the person who looks may decide it now."""

    task: ReviewTask
    is_mine: bool
    is_overdue: bool
    waited: timedelta


@dataclass(frozen=True)
class Dashboard:
    """The page for one person; ``None`` where they may not see something."""

    decisions: OwnDecisions | None  # of who decides something
    proposals_waiting: int | None  # for this person's confirmation
    open_tasks: OpenTasks | None
    oldest: Sequence[OldTask]
    incidents_open: int | None
    incidents_acknowledged: int
    flow: Flow | None
    office: OfficeFigures | None
    own: OwnApplications | None  # of who enters applications
    stuck: Stuck | None  # of who works on incidents
    policies: PolicyWork | None  # of who publishes them
    partners: PartnerWork | None  # of who looks after their keys
    record: RecordWork | None  # of who sees the audit log
    is_new: bool  # nobody has entered an application yet
    seal: SealStatus
    warnings: SweepWarnings | None  # of the last sweep, for whoever may see the System page

    @property
    def waiting_on_me(self) -> int | None:
        """The tasks this person may decide now; ``None`` for one who decides nothing."""
        return None if self.decisions is None else self.decisions.waiting

    @property
    def is_something_wrong(self) -> bool:
        """Tell whether the System page has something that cannot wait."""
        return self.warnings is not None and (self.warnings.some or bool(self.seal.finding))


def dashboard_of(*, user: User, now: datetime) -> Dashboard:
    """Read the dashboard of one person.

    At most thirty-eight queries, twenty-five of them once a minute, whatever the size of the data.
    """
    sees_applications = user.has_perm("applications.view_loanapplication")
    sees_tasks = user.has_perm("reviews.view_reviewtask")
    incidents = incidents_unresolved() if user.has_perm("workflows.view_incident") else None
    by_status = Counter[str]()
    for (status, _), many in (incidents or {}).items():
        by_status[status] += many
    return Dashboard(
        decisions=own_decisions(user=user, now=now),
        proposals_waiting=(
            len(proposals.proposals_waiting_on(user)) if proposals.decides_some(user) else None
        ),
        open_tasks=_kept("open_tasks", now, lambda: open_tasks_of(now=now)) if sees_tasks else None,
        oldest=oldest_waiting(user=user, now=now) if sees_tasks and sees_applications else (),
        incidents_open=None if incidents is None else by_status[Incident.Status.OPEN],
        incidents_acknowledged=by_status[Incident.Status.ACKNOWLEDGED],
        flow=_kept("flow", now, lambda: flow_of(now=now)) if sees_applications else None,
        office=(
            _kept("office", now, lambda: office_figures(now=now, days=DAYS))
            if sees_applications
            else None
        ),
        own=own_applications(user=user, now=now),
        stuck=stuck(user=user, incidents=incidents or {}),
        policies=policy_work(user=user),
        partners=partner_work(user=user, now=now),
        record=record_work(user=user, now=now),
        is_new=sees_applications and not LoanApplication.objects.exists(),
        seal=_kept("seal", now, seal_status),
        warnings=(
            warnings_of(sweep_run_last(), now=now)
            if user.has_perm("workflows.view_sweeprun")
            else None
        ),
    )


def waiting_on(*, user: User, now: datetime) -> int | None:
    """Count the tasks this person may decide now; ``None`` for one who decides nothing.

    One that is ``MOST_WAITING`` may stand for more.
    """
    if not decisions.may_decide_some(user=user, kinds=TaskKind):
        return None
    return decisions.count_waiting_on(user=user, now=now, most=MOST_WAITING)


def oldest_waiting(*, user: User, now: datetime) -> list[OldTask]:
    """Read the oldest open tasks of every role; two or three queries."""
    rows = ReviewTask.objects.filter(status=TaskStatus.OPEN).order_by("opened_at", "pk")
    tasks = list(rows.select_related("application")[:OLDEST])
    if not tasks:
        return []
    decidable = decisions.tasks_decidable(user=user, now=now)
    mine = set(decidable.filter(pk__in=[task.pk for task in tasks]).values_list("pk", flat=True))
    return [
        OldTask(
            task=task,
            is_mine=task.pk in mine,
            is_overdue=task.due_at <= now,
            waited=now - task.opened_at,
        )
        for task in tasks
    ]


def open_tasks_of(*, now: datetime) -> OpenTasks:
    """Read the ages of open tasks in one query."""
    counts = {
        f"age_{place}": Count("pk", filter=of_age(place, now=now)) for place in range(len(AGES))
    }
    overdue = Count("pk", filter=Q(due_at__lte=now))
    found = ReviewTask.objects.filter(status=TaskStatus.OPEN).aggregate(overdue=overdue, **counts)
    ages = [Age(label, found[f"age_{place}"]) for place, (_, label) in enumerate(AGES)]
    return OpenTasks(overdue=found["overdue"], ages=ages)


def flow_of(*, now: datetime) -> Flow:
    """Read the past thirty days in four or five queries, each a range of an index."""
    today = timezone.localdate(now)
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    rows = LoanApplication.objects.order_by()
    submitted = _per_day(rows, "submitted_at", days)
    funded = _per_day(rows.filter(status=Status.FUNDED), "closed_at", days)
    declined = _per_day(rows.filter(status=Status.DECLINED), "closed_at", days)
    decided = rows.filter(decided_at__gte=day_begins(days[0]), submitted_at__isnull=False)
    return Flow(
        days=[Day(day, submitted[day], funded[day], declined[day]) for day in days],
        median=median_span(decided, start="submitted_at", end="decided_at"),
    )


def _per_day(rows: QuerySet[LoanApplication], field: str, days: Sequence[date]) -> dict[date, int]:
    """Count the rows of each day: one query, in which each day is a range of the index.

    Grouping by a day would compute it for each row; a local day is not always 24 hours.
    """
    counts = [
        rows.filter(
            **{
                f"{field}__gte": day_begins(day),
                f"{field}__lt": day_begins(day + timedelta(days=1)),
            }
        )
        .annotate(day=Value(day.toordinal(), output_field=IntegerField()))
        .values_list("day")
        .annotate(many=Count("*"))
        for day in days
    ]
    found = dict(counts[0].union(*counts[1:], all=True).order_by())
    return {day: found.get(day.toordinal(), 0) for day in days}


def _kept[T](name: str, now: datetime, read: Callable[[], T]) -> T:
    """The result of ``read`` within the past minute of today, from the cache."""
    found: Any = cache.get_or_set(f"dashboard/{name}/{timezone.localdate(now)}", read, KEPT_FOR)
    return cast("T", found)
