"""Read the state of the system: from the sweep's rows and the record, and from the outside.

``system_status`` reads the database alone; ``outside_answers`` asks engine and storage, for a few
seconds at the most and in no transaction.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from django.core.files.storage import default_storage
from django.db import connection
from django.db.models import Count, Min

from audit.selectors import SealStatus, seal_status
from workflows import engine
from workflows.backlog import Backlog, backlog_read
from workflows.deploy_check.check import Version, versions_unfinished
from workflows.models import Incident, PeriodicRun, SweepRun
from workflows.probes import Answer, answers_in
from workflows.sweep_runs import sweep_run_last

DAY = timedelta(days=1)
ANSWERED_WITHIN = 3.0  # seconds, for the engine and the storage
MOST_LISTED = 3 * engine.LARGEST_PAGE  # executions that are counted by version
# Looked for and never there: that the storage says so shows that it answers.
NOWHERE = "system-page"


class Swept(NamedTuple):
    """A row of a sweep as the chart needs it."""

    minute: datetime
    outbox_pending: int
    outbox_oldest_seconds: int
    incidents_open: int
    tasks_overdue: int


@dataclass(frozen=True)
class IncidentsOfKind:
    """The unresolved incidents of one kind."""

    kind: str
    label: str
    open: int
    acknowledged: int
    oldest: datetime


@dataclass(frozen=True)
class SystemStatus:
    """The state of the system as the database has it. ``day`` has the rows of the last day."""

    last: SweepRun | None
    day: Sequence[Swept]
    backlog: Backlog
    incidents: Sequence[IncidentsOfKind]
    jobs: Sequence[PeriodicRun]
    seal: SealStatus
    database_seconds: float


@dataclass(frozen=True)
class VersionsInUse:
    """The versions that unfinished executions are on; ``is_cut``: there are more executions.

    ``newest`` is the version of the last execution that was started, ended or not.
    """

    versions: tuple[Version, ...]
    is_cut: bool
    newest: str


def system_status(*, now: datetime) -> SystemStatus:
    """Read the state of the system; thirteen queries at the most, whatever the size of the data."""
    began = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    took = time.monotonic() - began
    day = SweepRun.objects.filter(minute__gt=now - DAY).order_by("minute")
    return SystemStatus(
        last=sweep_run_last(),
        day=[Swept(*row) for row in day.values_list(*Swept._fields)],
        backlog=backlog_read(now=now),
        incidents=_incidents(),
        jobs=list(PeriodicRun.objects.order_by("name")),
        seal=seal_status(),
        database_seconds=took,
    )


def _incidents() -> list[IncidentsOfKind]:
    rows = Incident.objects.exclude(status=Incident.Status.RESOLVED).order_by()
    counts = rows.values_list("kind", "status").annotate(many=Count("pk"), oldest=Min("opened_at"))
    found: dict[str, dict[str, tuple[int, datetime]]] = {}
    for kind, status, many, oldest in counts:
        found.setdefault(kind, {})[status] = (many, oldest)
    return [
        IncidentsOfKind(
            kind=kind,
            label=Incident.Kind(kind).label,
            open=by_status.get(Incident.Status.OPEN, (0,))[0],
            acknowledged=by_status.get(Incident.Status.ACKNOWLEDGED, (0,))[0],
            oldest=min(oldest for _, oldest in by_status.values()),
        )
        for kind, by_status in sorted(found.items())
    ]


def outside_answers() -> dict[str, Answer]:
    """Ask ``engine``, ``versions`` and ``storage`` side by side, within ``ANSWERED_WITHIN``.

    The engine answers with the version that a start would run on, the versions with
    ``VersionsInUse``, and the storage with the seconds that it takes.
    """
    engine.prepare_client()
    return answers_in(
        ANSWERED_WITHIN,
        {"engine": engine.ping, "versions": _versions_in_use, "storage": _storage_seconds},
    )


def _versions_in_use() -> VersionsInUse:
    listed = engine.executions(statuses=engine.UNFINISHED, oldest_first=True)
    found = list(islice(listed, MOST_LISTED + 1))
    newest = engine.executions_page(size=1).items
    return VersionsInUse(
        versions=versions_unfinished(found[:MOST_LISTED]),
        is_cut=len(found) > MOST_LISTED,
        newest=newest[0].version if newest else "",
    )


def _storage_seconds() -> float:
    """Return how long an answer takes; the first one in a thread also makes a client for it."""
    default_storage.exists(NOWHERE)
    began = time.monotonic()
    default_storage.exists(NOWHERE)
    return time.monotonic() - began
