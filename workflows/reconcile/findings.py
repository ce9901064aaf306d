"""Keep what one reconcile found, and make or only report each repair."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

logger = logging.getLogger(__name__)

CHUNK = 500  # rows read with one query


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


def no_progress(progress: object) -> None:
    """Ignore progress that the caller did not ask for."""


@dataclass
class Comparison:
    """One reconcile under way: its findings so far, and how fast the engine may be asked."""

    report: Report
    pace: Pace
    now: datetime
    lag: timedelta
    on_progress: Callable[[int], None]
    on_finding: Callable[[Finding], None]

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
