"""Compare the state of the system with the thresholds of the alarms: one line for each thing. Pure.

Each line has a paragraph of its own in docs/runbook.md, under the same name, which says what to do
when the line is wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from audit.selectors import SealStatus
from audit.times import moment
from workflows.admin.durations import span
from workflows.backlog import Backlog
from workflows.probes import Answer
from workflows.sweep_runs import OUTBOX_LATE, SweepWarnings, warnings_of
from workflows.system_status import DAY, SystemStatus, VersionsInUse

GOOD, LOOK, WRONG = "All right", "Look at it", "Wrong"
TONES = {GOOD: "good", LOOK: "wait", WRONG: "alert"}
MINUTES_OF_DAY = 1440
MOST_MISSED = 0.1  # of the minutes of a day: a late sweep ends in the minute of the next one
INCIDENT_OLD = DAY
SEAL_LATE = timedelta(hours=1)
VERIFIED_WITHIN = timedelta(days=2)  # a verification is made once a day


@dataclass(frozen=True)
class Line:
    """A line of the page: what it is about, how it is, and what is known."""

    key: str
    label: str
    state: str
    sentence: str

    @property
    def tone(self) -> str:
        return TONES[self.state]


def lines_of(
    status: SystemStatus, outside: Mapping[str, Answer], *, now: datetime
) -> Iterator[Line]:
    """Yield the lines of the page, the sweep first: much of the rest depends on it."""
    warnings = warnings_of(status.last, now=now)
    yield _sweep(status, warnings, now)
    yield _outbox(status.backlog)
    yield _incidents(status, now)
    yield _tasks(status.backlog)
    yield _engine(outside["engine"], warnings)
    yield _storage(outside["storage"])
    yield Line("database", "Database", GOOD, f"Answered after {_short(status.database_seconds)}.")
    yield _versions(outside["versions"], outside["engine"])
    yield _seal(status.seal, now)
    yield _verification(status.seal, now)


def _many(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}."


def _short(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000)):,} ms"


def _ago(at: datetime, now: datetime) -> str:
    return f"{span(max(1.0, round((now - at).total_seconds())))} ago"


def _sweep(status: SystemStatus, warnings: SweepWarnings, now: datetime) -> Line:
    label, last = "Sweep", status.last
    if last is None:
        return Line("sweep", label, WRONG, "No sweep has come to its end yet.")
    said = f"Last ended {_ago(last.ended_at, now)}, after {span(last.seconds)}."
    if warnings.sweep_late:
        return Line("sweep", label, WRONG, f"{said} One is due each minute.")
    first = status.day[0].minute if status.day else last.minute
    possible = min(MINUTES_OF_DAY, int((now - first).total_seconds() // 60) + 1)
    ran = min(len(status.day), possible)
    said += f" Sweeps ended in {ran:,} of the last {possible:,} minutes."
    return Line("sweep", label, LOOK if ran < possible * (1 - MOST_MISSED) else GOOD, said)


def _outbox(backlog: Backlog) -> Line:
    waited = timedelta(seconds=backlog.outbox_oldest_seconds)
    if not backlog.outbox_pending:
        return Line("outbox", "Outbox", GOOD, "No message waits.")
    many = (
        "1 message waits"
        if backlog.outbox_pending == 1
        else (f"{backlog.outbox_pending:,} messages wait")
    )
    state = WRONG if waited > OUTBOX_LATE else GOOD
    return Line("outbox", "Outbox", state, f"{many}, the oldest for {_since(waited)}.")


def _since(waited: timedelta) -> str:
    return span(max(1.0, waited.total_seconds()))


def _incidents(status: SystemStatus, now: datetime) -> Line:
    label = "Incidents"
    unresolved = status.incidents
    opened = sum(each.open for each in unresolved)
    if not unresolved:
        return Line("incidents", label, GOOD, "None is open.")
    oldest = min(each.oldest for each in unresolved)
    taken = sum(each.acknowledged for each in unresolved)
    said = f"{opened:,} open, {taken:,} acknowledged; the oldest of {_ago(oldest, now)}."
    state = WRONG if opened and now - oldest > INCIDENT_OLD else LOOK if opened else GOOD
    return Line("incidents", label, state, said)


def _tasks(backlog: Backlog) -> Line:
    """Count what people have not decided in time: a fact about people, not a fault."""
    many = backlog.tasks_overdue
    verb = "is" if many == 1 else "are"
    said = f"{many:,} {verb} overdue." if many else "None is overdue."
    return Line("tasks", "Review tasks", GOOD, said)


def _engine(answer: Answer, warnings: SweepWarnings) -> Line:
    if answer.error:
        return Line("engine", "Engine", WRONG, f"It would take no start now. {answer.error}")
    said = f"Answered after {_short(answer.seconds)}."
    if warnings.engine_error:
        return Line("engine", "Engine", LOOK, f"{said} The last sweep: {warnings.engine_error}")
    return Line("engine", "Engine", GOOD, said)


def _storage(answer: Answer) -> Line:
    if answer.error:
        return Line("storage", "Storage of documents", WRONG, answer.error)
    seconds = answer.value if isinstance(answer.value, float) else answer.seconds
    said = f"Answered after {_short(seconds)}."
    return Line("storage", "Storage of documents", GOOD, said)


def _versions(answer: Answer, engine: Answer) -> Line:
    """The versions are a fact, not a fault: old ones are in use until their executions end."""
    label = "Versions of the workflow"
    live = str(engine.value or "")
    said = f"A start would run on {live}. " if live else ""
    if not isinstance(answer.value, VersionsInUse):
        return Line("versions", label, LOOK, f"{said}Those in use are not known. {answer.error}")
    found = answer.value
    if not live and found.newest:
        said = f"The last start was on {found.newest}. "
    total = sum(version.executions for version in found.versions)
    more = " at least" if found.is_cut else ""
    if not total:
        return Line("versions", label, GOOD, f"{said}No execution is unfinished.")
    used = "; ".join(
        f"{version.executions:,} on {version.number}"
        + (f", the oldest since {moment(version.oldest_start)}" if version.oldest_start else "")
        for version in found.versions
    )
    many = "1 unfinished execution" if total == 1 else f"{total:,} unfinished executions"
    return Line("versions", label, GOOD, f"{said}{many}{more}: {used}.")


def _seal(seal: SealStatus, now: datetime) -> Line:
    label = "Last seal"
    waiting = _many(seal.unsealed, "row").removesuffix(".") + " at most not sealed yet."
    if seal.sealed_at is None:
        return Line("seal", label, LOOK if seal.unsealed else GOOD, f"None yet. {waiting}")
    said = f"Seal {seal.sealed:,}, made {_ago(seal.sealed_at, now)}. {waiting}"
    late = seal.unsealed > 0 and now - seal.sealed_at > SEAL_LATE
    return Line("seal", label, WRONG if late else GOOD, said)


def _verification(seal: SealStatus, now: datetime) -> Line:
    label = "Audit verification"
    if seal.finding:
        return Line("verification", label, WRONG, f"Not as it was sealed: {seal.finding}")
    if seal.verified_at is None:
        return Line("verification", label, LOOK, "Nothing has been verified yet.")
    said = f"No difference up to seal {seal.verified:,}, {_ago(seal.verified_at, now)}."
    is_old = now - seal.verified_at > VERIFIED_WITHIN
    return Line("verification", label, LOOK if is_old else GOOD, said)
