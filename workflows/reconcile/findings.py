"""Keep what one reconcile found, and make or only report each repair."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from workflows.errors import EngineError

logger = logging.getLogger(__name__)

CHUNK = 500  # rows read with one query

# Up to where a comparison came, as JSON has it: the primary key of a row, or the marker of a page
# of the engine's list and a name on it.
type Place = int | list[str] | None


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
    """Keep calls to the engine under a rate, those of all threads together."""

    def __init__(self, calls_per_second: float) -> None:
        self.pause = 1 / calls_per_second
        self.next_at = 0.0
        self.lock = threading.Lock()

    def __call__(self) -> None:
        """Wait until the next call is due."""
        with self.lock:  # each caller takes a time of its own, and waits for it without the lock
            now = time.monotonic()
            mine = max(now, self.next_at)
            self.next_at = mine + self.pause
        if now < mine:
            time.sleep(mine - now)


def no_progress(progress: object) -> None:
    """Ignore progress that the caller did not ask for."""


@dataclass
class Comparison:
    """One reconcile under way: its findings so far, and how fast the engine may be asked.

    After ``ends_at``, on ``time.monotonic``'s clock, it begins nothing more; ``is_cut`` says that
    something of the part under way was left. ``seen`` has the keys of the executions that were
    compared with what the engine says now. ``failed_at`` is the place of a question that the engine
    did not answer, ``refused`` the first error of one that it refused, and ``refused_at`` the place
    of the last one, when no other row came after it.
    """

    report: Report
    pace: Pace
    now: datetime
    lag: timedelta
    on_progress: Callable[[int], None]
    on_finding: Callable[[Finding], None]
    ends_at: float | None = None
    is_cut: bool = False
    seen: set[int] = field(default_factory=set)
    failed_at: Place = None
    refused: EngineError | None = None
    refused_at: Place = None

    @property
    def is_over(self) -> bool:
        """Return whether the time of this pass is over."""
        return self.ends_at is not None and time.monotonic() >= self.ends_at

    def found(self, finding: Finding, do: Callable[[], None]) -> None:
        """Add a finding and, unless it is a dry run, make its repair."""
        self.report.findings.append(finding)
        if not self.report.dry_run:
            do()
            logger.warning(
                "Reconciled",
                extra={"execution": finding.name, "found": finding.what, "repair": finding.repair},
            )
        self.on_finding(finding)

    def count(self, number: int) -> None:
        """Add to the number compared, and report the progress."""
        self.report.compared += number
        self.on_progress(self.report.compared)
