"""Do one chaos run: start the stack, drive it, kill it, wait, check the invariants."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.core.management import call_command
from django.test.utils import override_settings

from applications.choices import Status
from applications.models import LoanApplication
from devtools.chaos.acknowledgements import Acknowledgements
from devtools.chaos.driver import Driver
from devtools.chaos.fault_injector import FaultInjector
from devtools.chaos.findings import Fault, Finding
from devtools.chaos.invariants import FINAL, check_invariants
from devtools.chaos.people import create_people
from devtools.chaos.plan import plan_make
from devtools.chaos.rail import CarelessRail
from devtools.chaos.report import Report
from devtools.chaos.sandbox import Sandbox
from devtools.chaos.settling import Settling, held
from devtools.chaos.snapshot import EngineExecution, engine_executions_read, snapshot_read
from devtools.processes import stack_processes
from devtools.supervisor import Process, Supervisor, exit_text
from reviews.choices import TaskStatus
from workflows.errors import EngineError
from workflows.models import Execution, OutboxMessage
from workflows.providers.catalogue import PAYOUT

KILLED = -signal.SIGKILL
RESTART_PAUSE = 0.2  # seconds before a process that died is started again
PROGRESS = 5.0  # seconds between two lines of progress
POLL_PAUSE = 0.5  # seconds between two counts of what is left


class RunFailed(Exception):
    """The run could not be done, so it proves nothing."""


@dataclass(frozen=True)
class Options:
    applications: int
    kills: int
    seed: int
    latency: float  # times the simulated delays of the demo
    patience: float  # seconds without progress, and after the last kill and submission
    threads: int  # partners that submit side by side
    careless_rail: bool = False  # a rail over HTTP that rarely says what it did


@dataclass(frozen=True)
class Remaining:
    """Counts of everything that has not ended."""

    applications: int
    messages: int
    records: int
    running: int
    people: int  # applications with planned requests left, those handed to Operations apart

    @property
    def nothing(self) -> bool:
        return not (self.applications or self.records) and self.at_rest

    @property
    def at_rest(self) -> bool:
        """Return true when nothing can change any more by itself or by a planned request."""
        return not (self.messages or self.running or self.people)


class Run:
    """A run in a sandbox that was created and entered already."""

    def __init__(
        self,
        options: Options,
        sandbox: Sandbox,
        *,
        write_line: Callable[[str], None],
        interrupted: threading.Event,
    ) -> None:
        self.interrupted = interrupted
        self.options = options
        self.sandbox = sandbox
        self.write_line = write_line
        self.plan = plan_make(
            applications=options.applications, kills=options.kills, seed=options.seed
        )
        self.acknowledgements = Acknowledgements(self.plan.applications)
        self.deaths: list[tuple[str, int | None]] = []
        self._deaths_lock = threading.Lock()
        self.began = time.monotonic()

    def go(self) -> Report:
        """Do the run. Raises ``RunFailed`` and, soon after ``interrupted``, ``KeyboardInterrupt``.

        Every process and thread that it started is stopped in any case.
        """
        rail = CarelessRail(seed=self.options.seed) if self.options.careless_rail else None
        if rail is None:
            return self._go(None)
        rail.start()
        self.sandbox.rail_url = rail.url
        mine = settings.LOANOFFICE_PROVIDERS
        at_rail = {PAYOUT: {"url": rail.url, "token": ""}}
        try:
            with override_settings(LOANOFFICE_PROVIDERS={**mine, **at_rail}):
                return self._go(rail)
        finally:
            rail.stop()

    def _go(self, rail: CarelessRail | None) -> Report:
        call_command("migrate", verbosity=0)
        keys = create_people(partners=self.options.threads)
        processes = stack_processes(
            port=self.sandbox.port,
            engine_port=self.sandbox.engine_port,
            environment=self.sandbox.environment,
            logs=self.sandbox.folder,
        )
        stack = Supervisor(
            processes,
            write_line=lambda _: None,
            longest_pause=RESTART_PAUSE,
            ended=self._note_death,
        )
        settling = None if rail is None else Settling()
        driver = Driver(
            plan=self.plan,
            acknowledgements=self.acknowledgements,
            base=self.sandbox.base,
            keys=keys,
        )
        fault_injector = FaultInjector(
            kills=self.plan.kills,
            processes={process.name: process for process in processes},
            acknowledgements=self.acknowledgements,
        )
        try:
            failed = stack.start()
            if failed is not None:
                raise RunFailed(f"{failed.name} did not start; see {failed.log}")
            self.write_line("The stack runs.")
            self.began = time.monotonic()
            driver.start()
            fault_injector.start()
            if settling is not None:
                settling.start()
            self._wait_until_settled(driver, fault_injector)
            seconds = time.monotonic() - self.began
            driver.stop()
            fault_injector.stop()
            if rail is not None and settling is not None:
                settling.stop()
                if settling.failed:
                    raise RunFailed(settling.failed[0])
                rail.stop()  # it has paid everything that it was asked for
                self.write_line(rail_line(rail, settling))
            engine_executions = self._engine_executions()
            findings = check_invariants(
                acknowledgements=self.acknowledgements,
                snapshot=snapshot_read(
                    engine_executions=engine_executions,
                    payouts=None if rail is None else rail.book.values(),
                ),
            )
        finally:
            driver.stop()
            fault_injector.stop()
            if settling is not None:
                settling.stop()
            stack.stop()
        findings += unplanned_events(
            deaths=self.deaths, killed=fault_injector.killed, planned=len(self.plan.kills)
        )
        return Report(
            options_line=self._options_line(),
            applications=len(self.plan.applications),
            counts=dict(self.acknowledgements.counts),
            killed=dict(fault_injector.killed),
            late_kills=fault_injector.late,
            seconds=seconds,
            findings=tuple(findings),
        )

    def _options_line(self) -> str:
        kind = "PostgreSQL" if self.sandbox.on_server else "SQLite"
        return f"seed {self.options.seed} on {kind}, latency {self.options.latency:g}"

    def _note_death(self, process: Process, code: int | None) -> None:
        with self._deaths_lock:
            self.deaths.append((process.name, code))

    # --- Waiting ------------------------------------------------------------------------

    def _wait_until_settled(self, driver: Driver, fault_injector: FaultInjector) -> None:
        """Wait until nothing is left, nothing can change, or the patience is over.

        It is over when there was no progress for so long, and so long after the last kill.
        """
        reported_at = moved_at = time.monotonic()
        calm_since: float | None = None
        before = None
        still = 0  # counts in a row in which nothing could change
        while True:
            self._pause()
            if driver.failed:
                raise RunFailed(f"the driver failed: {'; '.join(driver.failed)}")
            now, left = time.monotonic(), None
            if not driver.submitting and fault_injector.done:
                calm_since = calm_since or now
                left = self._remaining()
            progress = (self.acknowledgements.reply_count, fault_injector.killed.total())
            if progress != before:
                before, moved_at = progress, now
            if now - reported_at >= PROGRESS:
                reported_at = now
                self._write_progress(fault_injector, left)
            if now - (calm_since or moved_at) > self.options.patience:
                return
            still = still + 1 if left is not None and left.at_rest else 0
            if (left is not None and left.nothing) or still > 1:
                return

    def _pause(self) -> None:
        """Wait a moment; only here, between two actions, Ctrl-C takes effect."""
        if self.interrupted.wait(POLL_PAUSE):
            raise KeyboardInterrupt

    def _write_progress(self, fault_injector: FaultInjector, left: Remaining | None) -> None:
        counts = self.acknowledgements.counts
        line = (
            f"{time.monotonic() - self.began:4.0f} s  {counts['submitted']} submitted, "
            f"{counts['decisions begun']} decided, {sum(fault_injector.killed.values())} kills"
        )
        if left is not None:
            line += (
                f"; left: {left.applications} applications, {left.messages} messages, "
                f"{left.running} running in the engine"
            )
        self.write_line(line)

    def _remaining(self) -> Remaining | None:
        """Count what is left; ``None`` while the engine does not answer."""
        try:
            engine_executions = engine_executions_read()
        except EngineError:
            return None
        running = {
            execution.name for execution in engine_executions if execution.status == "RUNNING"
        }
        mine = LoanApplication.objects.filter(reference__in=self.acknowledgements.by_reference)
        # A duplicate of a submission waits for nobody: the invariants report it.
        duplicates = set(
            Execution.objects.filter(name__in=running)
            .exclude(application__in=mine)
            .filter(application__review_tasks__status=TaskStatus.OPEN)
            .values_list("name", flat=True)
        )
        handed_over = set(
            mine.filter(status=Status.NEEDS_ATTENTION).values_list("reference", flat=True)
        )
        unfinished = Execution.objects.filter(ended_at__isnull=True)
        return Remaining(
            applications=mine.exclude(status__in=FINAL).count(),
            messages=OutboxMessage.objects.filter(status=OutboxMessage.Status.PENDING).count(),
            records=unfinished.exclude(name__in=duplicates).count(),
            running=len(running - duplicates),
            people=sum(
                not application.complete and application.reference not in handed_over
                for application in self.acknowledgements.applications.values()
            )
            + (len(held()) if self.options.careless_rail else 0),
        )

    def _engine_executions(self) -> tuple[EngineExecution, ...]:
        """Read the engine's list; it may be restarting after a kill."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return engine_executions_read()
            except EngineError as error:
                if time.monotonic() > deadline:
                    raise RunFailed(f"the engine does not answer: {error}") from error
                self._pause()


def rail_line(rail: CarelessRail, settling: Settling) -> str:
    """Say what the rail paid and answered, and how many payouts two people had to settle."""
    answers = ", ".join(
        f"{status or 'nothing'} {count} times" for status, count in sorted(rail.answered.items())
    )
    return (
        f"The rail paid {len(rail.book)}, and answered {answers}; "
        f"{settling.settled} were settled by two people."
    )


def unplanned_events(
    *, deaths: Sequence[tuple[str, int | None]], killed: Counter[str], planned: int
) -> Iterator[Finding]:
    """Report a process that ended by itself, and a run with fewer kills than planned.

    ``deaths``: the process and its exit code, of each end that was seen.
    """
    for name in sorted({name for name, _ in deaths}):
        codes = [code for known, code in deaths if known == name]
        for _ in range(min(killed[name], codes.count(KILLED))):
            codes.remove(KILLED)
        for code in codes:
            yield Finding(Fault.WRONG, name, f"ended by itself ({exit_text(code)})")
    if killed.total() < planned:
        why = f"only {killed.total()} of {planned} kills were done"
        yield Finding(Fault.STUCK, "The run", why)
