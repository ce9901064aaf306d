"""Compare the record with the engine; ``repairs`` makes the repairs.

A missed change (an end, a start, a stop, a callback that closed) is found by reading both
sides. What no rule can repair becomes an incident. A second run changes nothing more.

Five comparisons: executions that the engine has not finished, executions that the record has not
finished, executions that ended recently (or all that ended), callbacks whose answer or end is
overdue, and applications without an execution. The engine is read page by page and at a bounded
rate, because its limits are for the whole account.
"""

import logging
import time
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
from workflows.models import Execution, OutboxMessage, PendingCallback
from workflows.reconcile import repairs

logger = logging.getLogger(__name__)

CHUNK = 500  # executions compared with one query
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
CALLBACK_ENDS = {
    "CallbackSucceeded": "succeeded",
    "CallbackFailed": "failed",
    "CallbackTimedOut": "timed out",
}


@dataclass(frozen=True)
class Finding:
    """A difference between record and engine, and its repair."""

    name: str  # of the execution, and of the callback if it is about one
    engine: str
    record: str
    what: str
    repair: str

    @property
    def reference(self) -> str:
        """The reference of the application that the finding is about."""
        return self.name.partition(" ")[0].rpartition("-")[0]


@dataclass
class Report:
    """The counts and findings of one reconcile."""

    dry_run: bool
    compared: int = 0
    findings: list[Finding] = field(default_factory=list)


class Pace:
    """Keep calls to the engine under a rate."""

    def __init__(self, calls_per_second: float) -> None:
        self.pause = 1 / calls_per_second
        self.next_at = 0.0

    def __call__(self) -> None:
        """Wait until the next call is due."""
        now = time.monotonic()
        if now < self.next_at:
            time.sleep(self.next_at - now)
        self.next_at = max(now, self.next_at) + self.pause


def ignore(progress: object) -> None:
    """Ignore progress that the caller did not ask for."""


def reconcile(
    *,
    dry_run: bool = False,
    everything: bool = False,
    calls_per_second: float = CALLS_PER_SECOND,
    lag: timedelta = LAG,
    on_progress: Callable[[int], None] = ignore,
    on_finding: Callable[[Finding], None] = ignore,
) -> Report:
    """Compare and repair; with ``dry_run`` only report what would be done.

    ``everything`` compares all executions that the engine still has instead of those that
    started within a day or have not ended. ``on_progress`` gets the number compared so
    far, ``on_finding`` each finding when it is repaired; an exception of theirs ends the
    comparison. Raises ``EngineError`` when the engine cannot be reached; repairs made until then
    stay.
    """
    comparison = _Comparison(
        dry_run=dry_run,
        pace=Pace(calls_per_second),
        now=timezone.now(),
        lag=lag,
        on_progress=on_progress,
        on_finding=on_finding,
    )
    comparison.unfinished_in_engine()
    comparison.unfinished_in_record()
    comparison.ended(since=None if everything else comparison.now - LOOK_BACK)
    comparison.callbacks()
    comparison.applications_without_execution()
    return comparison.report


class _Comparison:
    def __init__(
        self,
        *,
        dry_run: bool,
        pace: Pace,
        now: datetime,
        lag: timedelta,
        on_progress: Callable[[int], None],
        on_finding: Callable[[Finding], None],
    ) -> None:
        self.report = Report(dry_run=dry_run)
        self.pace = pace
        self.now = now
        self.lag = lag
        self.on_progress = on_progress
        self.on_finding = on_finding
        self.seen: set[str] = set()

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
            self._found(finding, no_repair)
        else:
            self._found(finding, partial(repairs.unknown_execution, listed, application))

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
        self._found(finding, partial(repairs.follow_pause, execution, paused=paused, now=self.now))

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
            self._count(1)
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
        self._found(
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
        self._found(finding, partial(repairs.start_again, execution))

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

    # --- Callbacks --------------------------------------------------------------------------

    def callbacks(self) -> None:
        overdue = self.now - self.lag
        rows = PendingCallback.objects.filter(
            execution__ended_at__isnull=True, execution__arn__isnull=False
        ).select_related("execution__application", "review_task")
        waiting = rows.filter(status=PendingCallback.Status.OPEN, expires_at__lt=overdue)
        answered = rows.filter(status=PendingCallback.Status.ANSWERED, answered_at__lt=overdue)
        for callback in (waiting | answered).order_by("pk").iterator(chunk_size=CHUNK):
            self._count(1)
            self._compare_callback(callback)

    def _compare_callback(self, callback: PendingCallback) -> None:
        state = self._callback_state(callback)
        answered = callback.status == PendingCallback.Status.ANSWERED
        on_its_way = OutboxMessage.objects.filter(
            callback=callback, status__in=["pending", "dead"]
        ).exists()
        found: dict[tuple[str, bool], tuple[str, str, Callable[[PendingCallback], None]]] = {
            ("succeeded", True): ("delivered, not noted", "note it", repairs.note_delivered),
            ("succeeded", False): ("answered elsewhere", "incident", repairs.answered_elsewhere),
            ("timed out", True): ("closed before the answer", "late", repairs.close_callback),
            ("timed out", False): ("closed, not noted", "close it", repairs.close_callback),
            ("failed", True): ("closed before the answer", "late", repairs.close_callback),
            ("failed", False): ("closed, not noted", "close it", repairs.close_callback),
        }
        if not on_its_way:
            found["waiting", True] = ("answer did not arrive", "send again", repairs.answer_again)
        if (state, answered) in found:
            what, repair, do = found[state, answered]
            name = f"{callback.execution.name} {callback.name}"
            self._found(Finding(name, state, callback.status, what, repair), partial(do, callback))

    def _callback_state(self, callback: PendingCallback) -> str:
        """Return ``waiting``, ``succeeded``, ``failed``, ``timed out`` or ``unknown``."""
        try:
            events = engine.history(arn=str(callback.execution.arn), before_page=self.pace)
        except NotFound:
            return "unknown"
        started = (
            event["Id"]
            for event in events
            if event.get("CallbackStartedDetails", {}).get("CallbackId") == callback.callback_id
        )
        operation = next(started, None)
        if operation is None:
            return "unknown"
        mine = (event["EventType"] for event in events if event.get("Id") == operation)
        return next((CALLBACK_ENDS[kind] for kind in mine if kind in CALLBACK_ENDS), "waiting")

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
            self._found(finding, partial(repairs.queue_missing, application))
            return
        sentence = (
            f"{name} has ended ({execution.get_status_display().lower()}), but the application is "
            f"still {application.get_status_display().lower()}. Restart it."
        )
        finding = Finding(name, "not asked", execution.status, "ended in the middle", "incident")
        ended = Execution.Status(execution.status)
        self._found(finding, partial(repairs.hand_over, execution, ended=ended, sentence=sentence))

    # --- Small parts ------------------------------------------------------------------------

    def _differs(
        self, listed: Listed, execution: Execution, what: str, repair: str, do: Callable[[], None]
    ) -> None:
        self._found(Finding(listed.name, listed.status, execution.status, what, repair), do)

    def _found(self, finding: Finding, do: Callable[[], None]) -> None:
        self.report.findings.append(finding)
        if not self.report.dry_run:
            do()
            logger.warning(
                "Reconciled",
                extra={"execution": finding.name, "found": finding.what, "repair": finding.repair},
            )
        self.on_finding(finding)

    def _count(self, number: int) -> None:
        self.report.compared += number
        self.on_progress(self.report.compared)

    def _paired(self, listing: Iterable[Listed]) -> Iterator[tuple[Listed, Execution | None]]:
        """Yield each execution of the engine with its row in the record, if there is one."""
        for chunk in batched(listing, CHUNK):
            names = [item.name for item in chunk]
            rows = Execution.objects.filter(name__in=names).select_related("application")
            by_name = {row.name: row for row in rows}
            self._count(len(chunk))
            yield from ((item, by_name.get(item.name)) for item in chunk)


def no_repair() -> None:
    """Change nothing: no application belongs to the execution."""
