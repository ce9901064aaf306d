"""Compute the geometry of an execution's waterfall: plain numbers for an SVG template. Pure.

Time runs to the right, in pieces. A piece is the time between two neighbouring starts or ends of
bars. It is drawn to scale, but never narrower than ``NARROWEST``, so that a step of a millisecond
is seen and no two bars of a row overlap. A piece in which nothing runs is folded when it is long
beside the work, and so is a piece of work that is out of all proportion: it takes the width of its
duration in words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from workflows.admin.durations import span
from workflows.admin.history_operations import WORDS, Operation, operations_of

SCALED = 560.0  # px for all that is drawn to scale
NARROWEST = 3.0  # px of a piece, and of a bar that took no time
HEAD = 44  # px above the first row: durations of folds, then the scale
ROW = 26  # px
CHARACTER = 6.6  # px, of the words at 12 px
MOST_ROWS = 300

IDLE_FOLDED = 3.0  # seconds: a shorter wait is never folded
WORK_FOLDED = 60.0  # seconds
WORK_RATIO = 10.0  # a longer piece of work is folded if all other work is so many times shorter
TICK = 80.0  # px between two ticks, at the least
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400)
PATTERNS = {"failed", "running", "waited", "waiting", "paused", "open"}  # of the template


@dataclass(frozen=True)
class Bar:
    """A stretch of an operation; ``words`` say what it is, to who hovers over it."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    words: str

    @property
    def fill(self) -> str:
        """The value of the attribute; a style sheet cannot name a pattern of the page."""
        return f"url(#fall-{self.kind})" if self.kind in PATTERNS else "currentColor"


@dataclass(frozen=True)
class Row:
    """An operation: its bars, and its words to the right of them."""

    name: str
    depth: int
    words: str
    bars: Sequence[Bar]
    y: float
    words_x: float
    words_y: float


@dataclass(frozen=True)
class Block:
    """The background of an operation and of those inside it."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Fold:
    """A long piece of time that is drawn as a break: how long it is, in words."""

    x: float
    width: float
    middle: float
    words: str


@dataclass(frozen=True)
class Tick:
    x: float
    words: str


@dataclass(frozen=True)
class Waterfall:
    """The drawing. ``hidden`` operations are only in the table below it."""

    rows: Sequence[Row]
    blocks: Sequence[Block]
    folds: Sequence[Fold]
    ticks: Sequence[Tick]
    width: float
    height: float
    summary: str
    hidden: int

    @property
    def key(self) -> list[Bar]:
        """A bar of each kind that is in the drawing, with what it means."""
        drawn = {bar.kind for row in self.rows for bar in row.bars}
        return [Bar(kind, 1, 1, 24, 12, WORDS[kind]) for kind in WORDS if kind in drawn]


@dataclass(frozen=True)
class _Piece:
    start: datetime
    end: datetime
    x: float
    width: float
    is_folded: bool

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


def waterfall(events: Sequence[dict[str, Any]], *, now: datetime) -> Waterfall | None:
    """Draw the events of an execution; ``None`` when they hold no operation."""
    found = operations_of(events, now=now)
    if not found:
        return None
    operations = found[:MOST_ROWS]
    pieces = _pieces(operations)
    places = {piece.start: piece.x for piece in pieces} | {
        piece.end: piece.x + piece.width for piece in pieces
    }
    rows = [_row(number, each, places) for number, each in enumerate(operations)]
    right = max(row.words_x + len(row.words) * CHARACTER for row in rows)
    end = pieces[-1].x + pieces[-1].width if pieces else 0.0
    folds = [
        Fold(piece.x, piece.width, round(piece.x + piece.width / 2, 2), span(piece.seconds))
        for piece in pieces
        if piece.is_folded
    ]
    return Waterfall(
        rows=rows,
        blocks=_blocks(operations, rows),
        folds=folds,
        ticks=_ticks(pieces),
        width=round(max(right, end + TICK) + 8, 2),
        height=HEAD + ROW * len(rows),
        summary=_summary(found, folds),
        hidden=len(found) - len(operations),
    )


def _pieces(operations: Sequence[Operation]) -> list[_Piece]:
    """Cut the time at each start and end of a bar, and give each piece its width."""
    stretches = [each for operation in operations for each in operation.stretches]
    times = sorted({time for each in stretches for time in (each.start, each.end)})
    gaps = list(pairwise(times))
    seconds = [(end - start).total_seconds() for start, end in gaps]
    works = _working(times, operations)
    is_folded = _folded(seconds, works)
    scaled = sum(took for took, folded in zip(seconds, is_folded, strict=True) if not folded)
    pieces, x = [], 0.0
    for (start, end), took, folded in zip(gaps, seconds, is_folded, strict=True):
        width = len(span(took)) * CHARACTER + 16 if folded else took * SCALED / scaled
        width = round(max(width, NARROWEST), 2)
        pieces.append(_Piece(start, end, round(x, 2), width, folded))
        x += width
    return pieces


def _working(times: Sequence[datetime], operations: Sequence[Operation]) -> list[bool]:
    """For each piece between two times, whether a step runs in it."""
    steps = [operation for operation in operations if operation.type == "Step"]
    change: dict[datetime, int] = {}
    for each in (tried for step in steps for tried in step.stretches if tried.kind != "retry"):
        change[each.start] = change.get(each.start, 0) + 1
        change[each.end] = change.get(each.end, 0) - 1
    running, found = 0, []
    for time in times[:-1]:
        running += change.get(time, 0)
        found.append(running > 0)
    return found


def _folded(seconds: Sequence[float], works: Sequence[bool]) -> list[bool]:
    """Choose the pieces to fold: long waits, and work that would leave no room for the rest."""
    pairs = list(zip(seconds, works, strict=True))
    work = sum(took for took, is_work in pairs if is_work)

    def hung(took: float) -> bool:
        return took > max(WORK_FOLDED, WORK_RATIO * (work - took))

    kept = sum(took for took, is_work in pairs if is_work and not hung(took))
    longest_wait = max(IDLE_FOLDED, kept / 2)
    return [hung(took) if is_work else took > longest_wait for took, is_work in pairs]


def _row(number: int, operation: Operation, places: dict[datetime, float]) -> Row:
    top = HEAD + ROW * number
    bars: list[Bar] = []
    right = 0.0
    for each in operation.stretches:
        x = max(places.get(each.start, 0.0), right)
        right = max(places.get(each.end, 0.0), x + NARROWEST)
        y, height = (top + 11, 4) if each.kind in {"retry", "block"} else (top + 6, 14)
        words = f"{WORDS[each.kind]}: {span(each.seconds)}"
        bars.append(Bar(each.kind, round(x, 2), y, round(right - x, 2), height, words))
    words_x = round(right + 8, 2)
    return Row(
        operation.name, min(operation.depth, 4), operation.words, bars, top, words_x, top + 17
    )


def _blocks(operations: Sequence[Operation], rows: Sequence[Row]) -> list[Block]:
    """Return the backgrounds of the operations that others are inside of."""
    found = []
    for number, operation in enumerate(operations):
        last = number
        while last + 1 < len(operations) and operations[last + 1].depth > operation.depth:
            last += 1
        if last > number:
            bars = [bar for row in rows[number : last + 1] for bar in row.bars]
            left = min(bar.x for bar in bars)
            right = max(bar.x + bar.width for bar in bars)
            height = ROW * (last - number + 1) - 4
            found.append(Block(left, rows[number].y + 2, round(right - left, 2), height))
    return found


def _ticks(pieces: Sequence[_Piece]) -> list[Tick]:
    """Mark the scale: the time since the start, and after a fold the time since the fold."""
    found: list[Tick] = []
    run: list[_Piece] = []
    for piece in [*pieces, None]:
        if piece is not None and not piece.is_folded:
            run.append(piece)
        elif run:
            found += _ticks_of(run, since=pieces[0].start)
            run = []
    return found


def _ticks_of(run: Sequence[_Piece], *, since: datetime) -> list[Tick]:
    """Mark pieces that follow each other without a fold."""
    first, last = run[0], run[-1]
    begins = (first.start - since).total_seconds()
    lasts = (last.end - first.start).total_seconds()
    width = last.x + last.width - first.x
    words = span(begins) if begins else "0 s"
    if width < len(words) * CHARACTER:
        return []
    found = [Tick(first.x, words)]
    free = first.x + max(TICK, (len(words) + 2) * CHARACTER)
    step = next((each for each in STEPS if each * width >= lasts * TICK), None)
    piece = iter(run)
    now = next(piece)
    for number in range(1, 0 if step is None else int(lasts / step) + 1):
        at = first.start + timedelta(seconds=number * step) if step else first.start
        while at > now.end:
            now = next(piece)
        x = round(now.x + now.width * (at - now.start).total_seconds() / now.seconds, 2)
        if x >= free and x <= last.x + last.width - TICK / 2:
            prefix = "+" if begins else ""
            found.append(Tick(x, f"{prefix}{span(number * (step or 0))}"))
            free = x + TICK
    return found


def _summary(operations: Sequence[Operation], folds: Sequence[Fold]) -> str:
    """Say in one sentence what the drawing shows."""
    real = [each for each in operations if each.type not in {"Execution", "Invocation"}]
    failed = sum(each.end in {"Failed", "TimedOut"} for each in real)
    waits = sum(not each.end for each in real)
    parts = [f"{len(real)} operation{'' if len(real) == 1 else 's'}"]
    if failed:
        parts.append(f"{failed} failed or timed out")
    if waits:
        parts.append(f"{waits} not ended")
    first = operations[0]
    whole = f"The execution {first.words}" if first.type == "Execution" else "No start is known"
    said = f"{whole}. {', '.join(parts)}."
    if folds:
        many = "one long wait is" if len(folds) == 1 else f"{len(folds)} long waits are"
        said += f" {many.capitalize()} folded: {', '.join(fold.words for fold in folds[:5])}"
        said += ", ..." if len(folds) > 5 else "."
    return said
