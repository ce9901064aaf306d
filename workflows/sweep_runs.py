"""Record each minute's sweep, delete old rows, and say what the last one tells of the office.

The System page and the front page read these rows, so that neither has to ask the outside to say
whether the sweep runs, how long messages wait, or whether the engine was reached.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from core.database import insert_once
from workflows.backlog import Backlog
from workflows.models import SweepRun

ENGINE_ERROR = 300  # characters
KEPT_FOR = timedelta(days=8)
# The thresholds of the alarms in docs/runbook.md.
SWEEP_LATE = timedelta(minutes=5)
OUTBOX_LATE = timedelta(minutes=10)


@dataclass(frozen=True)
class SweepWarnings:
    """The faults that the last sweep's row shows; each is false while all is well."""

    never_ran: bool
    sweep_late: timedelta | None  # since when no sweep came to its end
    outbox_late: timedelta | None  # the age of the oldest message that waits
    engine_error: str

    @property
    def some(self) -> bool:
        return bool(self.never_ran or self.sweep_late or self.outbox_late or self.engine_error)


def sweep_run_record(backlog: Backlog, *, seconds: float, engine_error: str) -> bool:
    """Record a sweep that came to its end; false when its minute has a row already."""
    now = timezone.now()
    minute = now.replace(second=0, microsecond=0)
    if SweepRun.objects.filter(minute=minute).exists():
        return False  # on a laptop mostly: a look takes no lock of those who write
    row = SweepRun(
        minute=minute,
        ended_at=now,
        seconds=round(seconds, 3),
        engine_error=engine_error[:ENGINE_ERROR],
        **asdict(backlog),
    )
    return insert_once(row, unique="minute")


def sweep_runs_forget(*, now: datetime, limit: int) -> int:
    """Delete rows older than ``KEPT_FOR``, at most ``limit``; returns how many."""
    old = SweepRun.objects.filter(minute__lt=now - KEPT_FOR).order_by("minute")
    found = list(old.values_list("pk", flat=True)[:limit])
    return SweepRun.objects.filter(pk__in=found).delete()[0]


def sweep_run_last() -> SweepRun | None:
    """Return the row of the last sweep; one query, by the index of ``minute``."""
    return SweepRun.objects.order_by("-minute").first()


def warnings_of(last: SweepRun | None, *, now: datetime) -> SweepWarnings:
    """Compare the last sweep's row with the thresholds of the alarms. Pure."""
    if last is None:
        return SweepWarnings(never_ran=True, sweep_late=None, outbox_late=None, engine_error="")
    silent = now - last.ended_at
    waited = timedelta(seconds=last.outbox_oldest_seconds)
    return SweepWarnings(
        never_ran=False,
        sweep_late=silent if silent > SWEEP_LATE else None,
        outbox_late=waited if waited > OUTBOX_LATE else None,
        engine_error=last.engine_error,
    )
