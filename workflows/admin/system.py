"""The System page: whether the sweep runs, what waits, and whether what is outside answers.

It is the list of ``SweepRun`` in the admin, drawn as a page; there is no page of one row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils import timezone

from core.admin.base import ReadOnlyAdmin
from core.admin.view_helpers import admin_page
from core.charts import Bars, grouped_bars
from workflows.admin.durations import span
from workflows.admin.system_lines import lines_of
from workflows.models import PeriodicRun, SweepRun
from workflows.system_status import DAY, Swept, outside_answers, system_status

PIECE = timedelta(minutes=10)
PIECES = DAY // PIECE
PIECES_OF_ROW = 6  # an hour
# What a job's result says is shown in this order; the rest is for programs.
TOLD = ("forgotten", "changed", "ended", "compared", "findings", "rows", "waiting", "copied")


@dataclass(frozen=True)
class Piece:
    """The most that the sweeps of a piece of time found; without a sweep nothing is known."""

    begins: datetime
    sweeps: int
    outbox_pending: int
    outbox_oldest_seconds: int
    incidents_open: int
    tasks_overdue: int

    @property
    def oldest(self) -> str:
        return span(self.outbox_oldest_seconds) if self.outbox_oldest_seconds else ""


@dataclass(frozen=True)
class Chart:
    """One figure over a day, with the pieces of time in which no sweep ended."""

    bars: Bars
    silent: Bars
    top: str
    words: str


@dataclass(frozen=True)
class Job:
    """A periodic job of the sweep: its last run, in words."""

    name: str
    started_at: datetime | None
    took: str
    result: str
    error: str


class SweepRunAdmin(ReadOnlyAdmin[SweepRun]):
    """Shows the System page in place of a list of rows."""

    is_list = False

    def get_urls(self) -> list[URLPattern]:
        """Return the page's own address; the rows have none."""
        return [url for url in super().get_urls() if str(url.pattern) == ""]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Render the state of the system. Engine and storage are asked, for a few seconds."""
        if request.method not in {"GET", "HEAD"} or not self.has_view_permission(request):
            raise PermissionDenied
        if request.GET:
            self.get_changelist_instance(request)  # says what it ignored, as every list does
        outside = outside_answers()
        now = timezone.now()
        status = system_status(now=now)
        pieces = pieces_of(status.day, now=now)
        return admin_page(
            self,
            request,
            "workflows/admin/system.html",
            title="System",
            lines=list(lines_of(status, outside, now=now)),
            incidents=status.incidents,
            jobs=[job_of(row) for row in status.jobs],
            now=now,
            begins=now - DAY,
            pending=chart_of(pieces, "outbox_pending"),
            oldest=chart_of(pieces, "outbox_oldest_seconds"),
            silent=sum(not piece.sweeps for piece in pieces),
            pieces=len(pieces),
            hours=hours_of(pieces),
        )


def pieces_of(day: Sequence[Swept], *, now: datetime) -> list[Piece]:
    """Cut the last day into pieces, the oldest first, with the most of each figure."""
    found: list[list[Swept]] = [[] for _ in range(PIECES)]
    for row in day:
        back = int((now - row.minute) / PIECE)
        if 0 <= back < PIECES:
            found[PIECES - 1 - back].append(row)
    return [
        Piece(
            begins=now - (PIECES - number) * PIECE,
            sweeps=len(rows),
            outbox_pending=max((row.outbox_pending for row in rows), default=0),
            outbox_oldest_seconds=max((row.outbox_oldest_seconds for row in rows), default=0),
            incidents_open=max((row.incidents_open for row in rows), default=0),
            tasks_overdue=max((row.tasks_overdue for row in rows), default=0),
        )
        for number, rows in enumerate(found)
    ]


def chart_of(pieces: Sequence[Piece], figure: str) -> Chart:
    """Draw one figure of the pieces."""
    values: list[int] = [getattr(piece, figure) for piece in pieces]
    bars = grouped_bars({figure: values})
    is_time = figure.endswith("_seconds")

    def told(value: int) -> str:
        return span(value) if is_time else f"{value:,}"

    most = max(values, default=0)
    words = "No message waited."
    if most:
        oldest = f"The oldest message waited for {told(most)}."
        words = oldest if is_time else f"At most {told(most)} waited at once."
    silent = grouped_bars({"silent": [0 if piece.sweeps else 1 for piece in pieces]})
    return Chart(bars=bars, silent=silent, top=told(bars.top), words=words)


def hours_of(pieces: Sequence[Piece]) -> list[Piece]:
    """Return the hours of the day as rows of a table, the newest first."""
    found = []
    for first in range(0, len(pieces), PIECES_OF_ROW):
        some = pieces[first : first + PIECES_OF_ROW]
        found.append(
            Piece(
                begins=some[0].begins,
                sweeps=sum(piece.sweeps for piece in some),
                outbox_pending=max(piece.outbox_pending for piece in some),
                outbox_oldest_seconds=max(piece.outbox_oldest_seconds for piece in some),
                incidents_open=max(piece.incidents_open for piece in some),
                tasks_overdue=max(piece.tasks_overdue for piece in some),
            )
        )
    return found[::-1]


def job_of(row: PeriodicRun) -> Job:
    """Put the last run of a job in words."""
    started, finished = row.started_at, row.finished_at
    took = ""
    if started is not None and finished is not None and finished >= started:
        took = span((finished - started).total_seconds())
    told = [f"{name} {row.result[name]}" for name in TOLD if name in row.result]
    return Job(
        name=row.name.replace("_", " ").capitalize(),
        started_at=started,
        took=took,
        result=", ".join(told),
        error=str(row.result.get("error", "")),
    )
