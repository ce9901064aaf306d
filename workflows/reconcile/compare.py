"""Compare the record with the engine; ``repairs`` makes the repairs.

A missed change (an end, a start, a stop, a callback that closed) is found by reading both
sides. What no rule can repair becomes an incident. A second run changes nothing more.

Seven comparisons: executions that the engine has not finished, executions that the record has not
finished, executions that ended recently (or all that ended), callbacks whose answer or end is
overdue, executions that stand still, applications without an execution, and funded applications
without their decisions.
The engine is read page by page and at a bounded rate, because its limits are for the whole
account.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import batched

from django.utils import timezone

from applications.choices import Status
from applications.models import LoanApplication
from applications.transitions import is_terminal
from workflows import engine
from workflows.engine import Listed
from workflows.errors import NotFound
from workflows.models import Execution, OutboxMessage
from workflows.reconcile import repairs
from workflows.reconcile.callbacks import compare_callbacks
from workflows.reconcile.findings import CHUNK, Comparison, Finding, Pace, Report, no_progress
from workflows.reconcile.funded import compare_funded
from workflows.reconcile.standstill import STILL, compare_standstill

LOOK_BACK = timedelta(days=1)  # since when started executions are compared, unless all are
# A difference may last this long before it is a finding: an end or an answer being delivered.
LAG = timedelta(minutes=10)
CALLS_PER_SECOND = 5.0  # of the 15 that one account has for the history, for all callers
OVER = frozenset(Execution.Status.values) - {Execution.Status.QUEUED, Execution.Status.RUNNING}
UNDER_WAY = [
    status
    for status in Status
    if not is_terminal(status) and status not in {Status.DRAFT, Status.NEEDS_ATTENTION}
]


def reconcile(
    *,
    dry_run: bool = False,
    everything: bool = False,
    calls_per_second: float = CALLS_PER_SECOND,
    lag: timedelta = LAG,
    still: timedelta = STILL,
    on_progress: Callable[[int], None] = no_progress,
    on_finding: Callable[[Finding], None] = no_progress,
) -> Report:
    """Compare and repair; with ``dry_run`` only report what would be done.

    ``everything`` compares all executions that the engine still has instead of those that
    started within a day or have not ended, and all funded applications instead of the last
    day's. ``on_progress`` gets the number compared so far, ``on_finding`` each finding when it is
    repaired; an exception of theirs ends the comparison. Raises ``EngineError`` when the engine
    cannot be reached; repairs made until then stay.
    """
    comparison = _Executions(
        report=Report(dry_run=dry_run),
        pace=Pace(calls_per_second),
        now=timezone.now(),
        lag=lag,
        on_progress=on_progress,
        on_finding=on_finding,
    )
    comparison.unfinished_in_engine()
    comparison.unfinished_in_record()
    since = None if everything else comparison.now - LOOK_BACK
    comparison.ended(since=since)
    compare_callbacks(comparison)
    compare_standstill(comparison, still=still)
    comparison.applications_without_execution()
    compare_funded(comparison, since=since)
    return comparison.report


@dataclass
class _Executions(Comparison):
    seen: set[str] = field(default_factory=set)

    # --- What the engine has not finished -------------------------------------------------

    def unfinished_in_engine(self) -> None:
        listing = engine.executions(statuses=engine.UNFINISHED, before_page=self.pace)
        for listed, execution in self._paired(listing):
            self.seen.add(listed.name)
            if execution is None:
                self._unknown(listed)
            elif execution.ended_at is not None:
                self._ended_in_record_only(listed, execution)
            elif execution.status == Execution.Status.QUEUED:
                running = partial(repairs.note_start, listed, execution)
                self._differs(listed, execution, "missed start", "set to running", running)
            elif (execution.paused_at is not None) != (listed.status != "RUNNING"):
                self._pause_differs(listed, execution)

    def _unknown(self, listed: Listed) -> None:
        reference = listed.name.rpartition("-")[0]
        application = LoanApplication.objects.filter(reference=reference).first()
        finding = Finding(listed.name, listed.status, "none", "not on record", "incident")
        if application is None:
            finding = Finding(listed.name, listed.status, "none", "no such application", "none")
            self.found(finding, no_repair)
        else:
            self.found(finding, partial(repairs.unknown_execution, listed, application))

    def _ended_in_record_only(self, listed: Listed, execution: Execution) -> None:
        if execution.ended_at is None or execution.ended_at > self.now - self.lag:
            return  # the stop may still be on its way to the engine
        if execution.status == Execution.Status.STOPPED:
            again = partial(repairs.stop_again, listed, execution)
            self._differs(listed, execution, "stop did not take", "stop again", again)
        else:
            goes_on = partial(repairs.goes_on, listed, execution)
            self._differs(listed, execution, "goes on after its end", "incident", goes_on)

    def _pause_differs(self, listed: Listed, execution: Execution) -> None:
        on_its_way = OutboxMessage.objects.filter(
            execution=execution,
            kind__in=[OutboxMessage.Kind.PAUSE_EXECUTION, OutboxMessage.Kind.RESUME_EXECUTION],
            status=OutboxMessage.Status.PENDING,
        )
        if on_its_way.exists():
            return
        record = "paused" if execution.paused_at else "not paused"
        finding = Finding(
            listed.name, listed.status, record, "pause differs", "record follows the engine"
        )
        paused = listed.status != "RUNNING"
        self.found(finding, partial(repairs.follow_pause, execution, paused=paused, now=self.now))

    # --- What the record has not finished -------------------------------------------------

    def unfinished_in_record(self) -> None:
        rows = (
            Execution.objects.filter(ended_at__isnull=True, queued_at__lt=self.now)
            .select_related("application")
            .order_by("pk")
        )
        for execution in rows.iterator(chunk_size=CHUNK):
            if execution.name in self.seen:
                continue
            self.seen.add(execution.name)
            listed = self._ask(execution)
            self.count(1)
            if listed is None:
                self._not_in_engine(execution)
            elif listed.status in OVER:
                self._missed_end(listed, execution)

    def _not_in_engine(self, execution: Execution) -> None:
        if execution.status == Execution.Status.QUEUED:
            self._start_missing(execution)
            return
        finding = Finding(
            execution.name, "unknown", execution.status, "lost by the engine", "incident"
        )
        sentence = (
            f"The engine does not know {execution.name} (any more), so nothing carries this "
            "application. Restart it."
        )
        self.found(
            finding,
            partial(repairs.hand_over, execution, ended=Execution.Status.FAILED, sentence=sentence),
        )

    def _start_missing(self, execution: Execution) -> None:
        """Report a missing start; a pending one is on its way, a given-up one has an incident."""
        states = repairs.starts_of(execution).values_list("status", flat=True)
        if {OutboxMessage.Status.PENDING, OutboxMessage.Status.DEAD} & set(states):
            return
        finding = Finding(
            execution.name, "unknown", execution.status, "start did not arrive", "start again"
        )
        self.found(finding, partial(repairs.start_again, execution))

    def _ask(self, execution: Execution) -> Listed | None:
        """Read one execution from the engine; ``None`` when the engine does not know it."""
        self.pace()
        if execution.arn is None:
            return next(engine.executions(name=execution.name), None)
        try:
            details = engine.get(arn=execution.arn)
        except NotFound:
            return None
        return Listed(
            arn=execution.arn,
            name=execution.name,
            status=details["Status"],
            version=str(details.get("Version", "")),
            started_at=details["StartTimestamp"],
            ended_at=details.get("EndTimestamp"),
        )

    # --- What ended -------------------------------------------------------------------------

    def ended(self, *, since: datetime | None) -> None:
        listing = engine.executions(
            statuses=sorted(OVER), started_after=since, before_page=self.pace
        )
        for listed, execution in self._paired(listing):
            if listed.name in self.seen:
                continue
            if execution is None:
                self._unknown(listed)
            elif execution.ended_at is None:
                self._missed_end(listed, execution)
            elif execution.status != listed.status:
                follow = partial(repairs.follow_end, listed, execution)
                self._differs(listed, execution, "end differs", "record follows", follow)

    def _missed_end(self, listed: Listed, execution: Execution) -> None:
        self._differs(
            listed,
            execution,
            "missed end",
            "end it; an application left in the middle is handed over",
            partial(self._end, listed, execution),
        )

    def _end(self, listed: Listed, execution: Execution) -> None:
        self.pace()
        repairs.end(listed, engine.get(arn=listed.arn), execution)

    # --- Applications without an execution ------------------------------------------------------

    def applications_without_execution(self) -> None:
        carried = Execution.objects.filter(ended_at__isnull=True).values("application")
        rows = (
            LoanApplication.objects.filter(status__in=UNDER_WAY, submitted_at__lt=self.now)
            .exclude(pk__in=carried)
            .order_by("pk")
        )
        for application in rows.iterator(chunk_size=CHUNK):
            self._without_execution(application)

    def _without_execution(self, application: LoanApplication) -> None:
        name = f"{application.reference}-{application.attempt}"
        execution = (
            Execution.objects.filter(name=name, application=application)
            .select_related("application")
            .first()
        )
        if execution is None:
            finding = Finding(name, "not asked", "none", "never queued", "queue it")
            self.found(finding, partial(repairs.queue_missing, application))
            return
        sentence = (
            f"{name} has ended ({execution.get_status_display().lower()}), but the application is "
            f"still {application.get_status_display().lower()}. Restart it."
        )
        finding = Finding(name, "not asked", execution.status, "ended in the middle", "incident")
        ended = Execution.Status(execution.status)
        self.found(finding, partial(repairs.hand_over, execution, ended=ended, sentence=sentence))

    # --- Small parts ------------------------------------------------------------------------

    def _differs(
        self, listed: Listed, execution: Execution, what: str, repair: str, do: Callable[[], None]
    ) -> None:
        self.found(Finding(listed.name, listed.status, execution.status, what, repair), do)

    def _paired(self, listing: Iterable[Listed]) -> Iterator[tuple[Listed, Execution | None]]:
        """Yield each execution of the engine with its row in the record, if there is one."""
        for chunk in batched(listing, CHUNK):
            names = [item.name for item in chunk]
            rows = Execution.objects.filter(name__in=names).select_related("application")
            by_name = {row.name: row for row in rows}
            self.count(len(chunk))
            yield from ((item, by_name.get(item.name)) for item in chunk)


def no_repair() -> None:
    """Change nothing: no application belongs to the execution."""
