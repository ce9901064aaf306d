"""One chaos run from beginning to end: start the stack, drive it, kill it, wait, judge."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from django.core.management import call_command

from applications.choices import Status
from applications.models import LoanApplication
from devtools.chaos.acknowledgements import Told
from devtools.chaos.driver import Driver
from devtools.chaos.fault_injector import Killer
from devtools.chaos.invariants import FINAL, Fault, Finding, judge
from devtools.chaos.people import create_people
from devtools.chaos.plan import plan_make
from devtools.chaos.report import Report
from devtools.chaos.sandbox import Scratch
from devtools.chaos.snapshot import EngineRun, books_read, engine_read
from devtools.processes import stack_processes
from devtools.supervisor import Process, Supervisor, exit_text
from reviews.choices import TaskStatus
from workflows.errors import EngineError
from workflows.models import Execution, OutboxMessage

KILLED = -signal.SIGKILL
RESTART_PAUSE = 0.2  # seconds before a process that died is started again
PROGRESS = 5.0  # seconds between two lines of progress
LOOK_PAUSE = 0.5  # seconds between two looks at what is left


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


@dataclass(frozen=True)
class Left:
    """What has not come to its end."""

    cases: int
    messages: int
    records: int
    running: int
    people: int  # who still have something to do or to hear, outside of what is handed over

    @property
    def nothing(self) -> bool:
        return not (self.cases or self.records) and self.at_rest

    @property
    def at_rest(self) -> bool:
        """Nothing moves any more by itself or by the run's people."""
        return not (self.messages or self.running or self.people)


class Run:
    """A run in a scratch database that was made and entered already."""

    def __init__(
        self,
        options: Options,
        scratch: Scratch,
        *,
        say: Callable[[str], None],
        interrupted: threading.Event,
    ) -> None:
        self.interrupted = interrupted
        self.options = options
        self.scratch = scratch
        self.say = say
        self.plan = plan_make(
            applications=options.applications, kills=options.kills, seed=options.seed
        )
        self.told = Told(self.plan.applications)
        self.deaths: list[tuple[str, int | None]] = []
        self._deaths_lock = threading.Lock()
        self.began = time.monotonic()

    def go(self) -> Report:
        """Do it all. Raises ``RunFailed`` and, soon after ``interrupted``, ``KeyboardInterrupt``.

        Whatever it started is stopped in any case.
        """
        call_command("migrate", verbosity=0)
        keys = create_people(partners=self.options.threads)
        processes = stack_processes(
            port=self.scratch.port,
            engine_port=self.scratch.engine_port,
            environment=self.scratch.environment,
            logs=self.scratch.folder,
        )
        stack = Supervisor(
            processes, say=lambda _: None, longest_pause=RESTART_PAUSE, ended=self._note_death
        )
        driver = Driver(plan=self.plan, told=self.told, base=self.scratch.base, keys=keys)
        killer = Killer(
            kills=self.plan.kills,
            processes={process.name: process for process in processes},
            told=self.told,
        )
        try:
            failed = stack.start()
            if failed is not None:
                raise RunFailed(f"{failed.name} did not start; see {failed.log}")
            self.say("The stack runs.")
            self.began = time.monotonic()
            driver.start()
            killer.start()
            self._wait_for_the_end(driver, killer)
            seconds = time.monotonic() - self.began
            driver.stop()
            killer.stop()
            runs = self._engine_runs()
            findings = judge(told=self.told, books=books_read(runs=runs))
        finally:
            driver.stop()
            killer.stop()
            stack.stop()
        findings += not_as_planned(
            deaths=self.deaths, killed=killer.killed, planned=len(self.plan.kills)
        )
        return Report(
            options_line=self._options_line(),
            applications=len(self.plan.applications),
            counts=dict(self.told.counts),
            killed=dict(killer.killed),
            late_kills=killer.late,
            seconds=seconds,
            findings=tuple(findings),
        )

    def _options_line(self) -> str:
        kind = "PostgreSQL" if self.scratch.on_server else "SQLite"
        return f"seed {self.options.seed} on {kind}, latency {self.options.latency:g}"

    def _note_death(self, process: Process, code: int | None) -> None:
        with self._deaths_lock:
            self.deaths.append((process.name, code))

    # --- Waiting ------------------------------------------------------------------------

    def _wait_for_the_end(self, driver: Driver, killer: Killer) -> None:
        """Until nothing is left, or nothing can move, or the patience is over.

        It is over when nobody got on for so long, and so long after the last kill.
        """
        told_at = moved_at = time.monotonic()
        calm_since: float | None = None
        before = None
        still = 0  # looks in a row that saw nothing which could move
        while True:
            self._pause()
            if driver.failed:
                raise RunFailed(f"the driver failed: {'; '.join(driver.failed)}")
            now, left = time.monotonic(), None
            if not driver.submitting and killer.done:
                calm_since = calm_since or now
                left = self._left()
            progress = (self.told.heard, killer.killed.total())
            if progress != before:
                before, moved_at = progress, now
            if now - told_at >= PROGRESS:
                told_at = now
                self._say_progress(killer, left)
            if now - (calm_since or moved_at) > self.options.patience:
                return
            still = still + 1 if left is not None and left.at_rest else 0
            if (left is not None and left.nothing) or still > 1:
                return

    def _pause(self) -> None:
        """Wait a moment; here, where nothing is half done, a Ctrl-C takes hold."""
        if self.interrupted.wait(LOOK_PAUSE):
            raise KeyboardInterrupt

    def _say_progress(self, killer: Killer, left: Left | None) -> None:
        counts = self.told.counts
        line = (
            f"{time.monotonic() - self.began:4.0f} s  {counts['submitted']} submitted, "
            f"{counts['decisions begun']} decided, {sum(killer.killed.values())} kills"
        )
        if left is not None:
            line += (
                f"; left: {left.cases} cases, {left.messages} messages, "
                f"{left.running} running in the engine"
            )
        self.say(line)

    def _left(self) -> Left | None:
        """``None`` while the engine cannot say."""
        try:
            runs = engine_read()
        except EngineError:
            return None
        running = {run.name for run in runs if run.status == "RUNNING"}
        mine = LoanApplication.objects.filter(reference__in=self.told.by_reference)
        # A second application of one submission waits for nobody: the judge speaks of it.
        copies = set(
            Execution.objects.filter(name__in=running)
            .exclude(application__in=mine)
            .filter(application__review_tasks__status=TaskStatus.OPEN)
            .values_list("name", flat=True)
        )
        handed_over = set(
            mine.filter(status=Status.NEEDS_ATTENTION).values_list("reference", flat=True)
        )
        unfinished = Execution.objects.filter(ended_at__isnull=True)
        return Left(
            cases=mine.exclude(status__in=FINAL).count(),
            messages=OutboxMessage.objects.filter(status=OutboxMessage.Status.PENDING).count(),
            records=unfinished.exclude(name__in=copies).count(),
            running=len(running - copies),
            people=sum(
                not case.complete and case.reference not in handed_over
                for case in self.told.cases.values()
            ),
        )

    def _engine_runs(self) -> tuple[EngineRun, ...]:
        """The engine's list; it may just be on its way back from a kill."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return engine_read()
            except EngineError as error:
                if time.monotonic() > deadline:
                    raise RunFailed(f"the engine does not answer: {error}") from error
                self._pause()


def not_as_planned(
    *, deaths: Sequence[tuple[str, int | None]], killed: Counter[str], planned: int
) -> Iterator[Finding]:
    """What the cases do not show: a process with a fault of its own, a run that proves less.

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
