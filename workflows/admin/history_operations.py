"""Read the operations of an execution from its events: what ran, waited and was tried again.

Pure. The events are those of ``GetDurableExecutionHistory``, oldest first; kinds of events that are
not known are left out, as the table of the history has them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from workflows.admin.durations import span

KIND = re.compile(
    r"(Execution|Context|Step|Callback|Wait|ChainedInvoke)"
    r"(Started|Succeeded|Failed|TimedOut|Stopped|Cancelled|Paused|Resumed)"
)
# How an operation that is still open at the end of the drawing is shown, by its type.
OPEN = {"Step": "running", "Callback": "waiting", "Wait": "waiting", "ChainedInvoke": "waiting"}
# How it is shown while it lasts, when it came to a good end.
DONE = {"Step": "done", "Callback": "waited", "Wait": "waited", "ChainedInvoke": "waited"}
# What a kind of bar means.
WORDS = {
    "done": "Succeeded",
    "failed": "Failed or timed out",
    "running": "Runs",
    "waited": "Waited",
    "waiting": "Waits",
    "retry": "Until the next try",
    "paused": "Paused",
    "open": "Did not end",
    "invoked": "The function ran",
    "block": "The execution, or a block of operations",
}
ENDS = {
    "Succeeded": "succeeded",
    "Failed": "failed",
    "TimedOut": "timed out",
    "Stopped": "stopped",
    "Cancelled": "cancelled",
}


@dataclass(frozen=True)
class Stretch:
    """A part of an operation's time: how it is drawn (a key of ``WORDS``), from when to when."""

    kind: str
    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


@dataclass
class Operation:
    """An operation of the execution, or the execution itself, with its stretches in order."""

    key: str
    type: str
    name: str
    parent: str = ""
    stretches: list[Stretch] = field(default_factory=list)
    depth: int = 0
    end: str = ""  # the suffix of the event that ended it
    opened_at: datetime | None = None  # of a stretch that is not closed
    retry: tuple[datetime, float] | None = None  # since when, and how long the next try is away
    tries: int = 0
    is_paused: bool = False

    @property
    def seconds(self) -> float:
        """From its start to its end."""
        return (self.stretches[-1].end - self.stretches[0].start).total_seconds()

    def open(self, at: datetime) -> None:
        """Begin a try; one that was begun before and has no end did not end."""
        if self.opened_at is not None:
            self.add("open", self.opened_at, at)
        if self.retry is not None:
            self.add("retry", self.retry[0], at)
            self.retry = None
        self.opened_at = at
        self.tries += 1

    def close(self, kind: str, at: datetime) -> None:
        """End a try; one without a start began when the wait for it was over."""
        if self.opened_at is None:
            since, delay = self.retry or (at, 0.0)
            self.open(min(at, since + timedelta(seconds=delay)))
        self.add(kind, self.opened_at or at, at)
        self.opened_at = None

    def add(self, kind: str, start: datetime, end: datetime) -> None:
        """Add a stretch; clocks of two machines may differ, so none begins before the last ends."""
        if self.stretches:
            start = max(start, self.stretches[-1].end)
        self.stretches.append(Stretch(kind, start, max(start, end)))

    def pause(self, at: datetime) -> None:
        """Begin a pause; who paused it before it was started pauses nothing."""
        if self.opened_at is not None:
            self.add("block", self.opened_at, at)
            self.opened_at, self.is_paused = at, True

    def resume(self, at: datetime) -> None:
        if self.is_paused and self.opened_at is not None:
            self.add("paused", self.opened_at, at)
            self.opened_at, self.is_paused = at, False

    def finish(self, at: datetime, *, is_over: bool) -> None:
        """Draw what is open up to the end of the execution, or up to now."""
        if self.opened_at is not None:
            going_on = "paused" if self.is_paused else OPEN.get(self.type, "block")
            self.add("open" if is_over else going_on, self.opened_at, at)
        elif self.retry is not None:
            self.add("retry", self.retry[0], at)

    @property
    def words(self) -> str:
        """The outcome in a few words: ``failed after 3 tries, 14 s``."""
        took, last = span(self.seconds), self.stretches[-1].kind
        tries = f"{self.tries} tries, " if self.tries > 1 and self.type in DONE else ""
        if self.type == "Invocation":
            ran = span(sum(each.seconds for each in self.stretches))
            return f"{len(self.stretches)} in {ran}"
        if last == "open":
            return f"did not end, {took}"
        if last == "retry":
            return f"try {self.tries} failed, waits for the next"
        if not self.end:
            verb = {"waiting": "waits", "paused": "is paused"}.get(last, "runs")
            number = f", try {self.tries}" if tries else ""
            return f"{verb}{number}, {took} so far"
        if self.end == "Succeeded" and self.type != "Execution":
            return f"{tries}{took}"
        return f"{ENDS[self.end]} after {tries}{took}"


def operations_of(events: Sequence[dict[str, Any]], *, now: datetime) -> list[Operation]:
    """Return the execution, the invocations, then the operations, each under its parent."""
    found: dict[str, Operation] = {}
    invocations: list[Stretch] = []
    for event in events:
        details = event.get(f"{event['EventType']}Details") or {}
        if event["EventType"] == "InvocationCompleted" and "StartTimestamp" in details:
            start, end = details["StartTimestamp"], details["EndTimestamp"]
            invocations.append(Stretch("invoked", start, max(start, end)))
        elif match := KIND.fullmatch(str(event["EventType"])):
            kind, what = match.groups()
            key = "execution" if kind == "Execution" else str(event.get("Id") or event["EventId"])
            operation = found.setdefault(key, _begun(key, kind, event))
            _take(operation, what, event["EventTimestamp"], details)
    execution = found.get("execution")
    is_over = execution is not None and bool(execution.end)
    last = max((event["EventTimestamp"] for event in events), default=now)
    for operation in found.values():
        operation.finish(last if is_over else max(last, now), is_over=is_over)
    drawn = {key: operation for key, operation in found.items() if operation.stretches}
    first = [drawn["execution"]] if "execution" in drawn else []
    return [*first, *_runs(invocations), *_in_order(drawn)]


def _begun(key: str, kind: str, event: dict[str, Any]) -> Operation:
    name = "Execution" if kind == "Execution" else str(event.get("Name") or kind)
    return Operation(key, kind, name, parent=str(event.get("ParentId") or ""))


def _take(operation: Operation, what: str, at: datetime, details: dict[str, Any]) -> None:
    """Add one event to its operation."""
    if what == "Started":
        operation.open(at)
    elif what == "Paused":
        operation.pause(at)
    elif what == "Resumed":
        operation.resume(at)
    else:
        good = "paused" if operation.is_paused else DONE.get(operation.type, "block")
        is_bad = what in {"Failed", "TimedOut"} and not operation.is_paused
        operation.close("failed" if is_bad else good, at)
        retry = details.get("RetryDetails") or {}
        operation.tries = max(operation.tries, int(retry.get("CurrentAttempt") or 0))
        delay = retry.get("NextAttemptDelaySeconds")
        if what == "Failed" and delay is not None:
            operation.retry = (at, float(delay))
        else:
            operation.end = what


def _runs(invocations: list[Stretch]) -> Iterator[Operation]:
    """Yield the row of invocations, which one process after another made."""
    runs = Operation("", "Invocation", "Invocations", end="Succeeded")
    for each in sorted(invocations, key=lambda each: each.start):
        runs.add(each.kind, each.start, each.end)
    if runs.stretches:
        yield runs


def _in_order(found: dict[str, Operation]) -> list[Operation]:
    """Order by first event, each operation followed by those inside it, with its depth."""
    inside: dict[str, list[Operation]] = {}
    for key, operation in found.items():
        if key != "execution":
            parent = operation.parent if operation.parent in found else ""
            inside.setdefault("" if parent in {key, "execution"} else parent, []).append(operation)
    ordered: list[Operation] = []
    seen: set[str] = set()
    left = [(each, 0) for each in reversed(inside.get("", ()))]
    # Operations that name each other as parents are under none, and are drawn all the same.
    others = [(each, 0) for key, each in reversed(found.items()) if key != "execution"]
    for stack in (left, others):
        while stack:
            operation, depth = stack.pop()
            if operation.key in seen:
                continue
            seen.add(operation.key)
            operation.depth = depth
            ordered.append(operation)
            stack.extend((each, depth + 1) for each in reversed(inside.get(operation.key, ())))
    return ordered
