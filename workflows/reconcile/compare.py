"""Compare the record with the engine; ``repairs`` makes the repairs.

A missed change (an end, a start, a stop, a callback that closed) is found by reading both
sides. What no rule can repair becomes an incident. A second run changes nothing more.

Seven comparisons: executions that the engine has not finished, executions that the record has not
finished, executions that ended recently (or all that ended), callbacks whose answer or end is
overdue, executions that stand still, applications without an execution, and funded applications
without their decisions.
The engine is asked several questions at once and at a bounded rate, because its limits are for
the whole account: 15 a second for the history, and 15 for all of the control plane together. A
person's run takes a third of that, and a pass of the sweep, which is short, two thirds.

``reconcile`` makes a whole round. The sweep makes it in passes, each bounded in time: the round is
stored, and the next pass goes on where the last one stopped.
"""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

from django.utils import timezone

from workflows.errors import EngineError
from workflows.reconcile import engine_side, record_side
from workflows.reconcile.callbacks import compare_callbacks
from workflows.reconcile.findings import Comparison, Finding, Pace, Place, Report, no_progress
from workflows.reconcile.funded import compare_funded
from workflows.reconcile.rounds import Round
from workflows.reconcile.standstill import STILL, compare_standstill

LOOK_BACK = timedelta(days=1)  # since when started executions are compared, unless all are
# A difference may last this long before it is a finding: an end or an answer being delivered.
LAG = timedelta(minutes=10)
CALLS_PER_SECOND = 5.0
CALLS_PER_SECOND_OF_SWEEP = 10.0
STORE_EVERY = 1.0  # seconds between two stores of a round: a process that is killed loses no more
TRIES = 3  # passes in a row that the engine does not answer about one row, before others have turns

type Part = Callable[[Comparison, Place], Iterator[Place]]


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
    cannot be reached, and at the end when it refused a question about some of them; repairs made
    until then stay.
    """
    comparison = Comparison(
        report=Report(dry_run=dry_run),
        pace=Pace(calls_per_second),
        now=timezone.now(),
        lag=lag,
        on_progress=on_progress,
        on_finding=on_finding,
    )
    parts = _parts(comparison, everything=everything, still=still)
    _go_on(comparison, Round(began=comparison.now), parts, store=lambda _: None)
    if comparison.refused is not None:
        raise comparison.refused
    return comparison.report


def reconcile_for(
    *,
    seconds: float,
    going_on: Round | None,
    store: Callable[[Round], None],
    calls_per_second: float = CALLS_PER_SECOND_OF_SWEEP,
) -> tuple[Report, Round | None, str]:
    """Make one pass of a round, which begins nothing more after ``seconds``.

    Goes on with a round that was stored, or begins one. ``store`` is called meanwhile. Returns the
    report of the pass, the round to go on with, ``None`` when it is complete, and what the engine
    refused or could not answer. Where it was not reached, the next pass asks again; about a row for
    which it failed ``TRIES`` times it is asked again in the next round.
    """
    at = going_on or Round(began=timezone.now())
    comparison = Comparison(
        report=Report(dry_run=False),
        pace=Pace(calls_per_second),
        now=at.began,
        lag=LAG,
        on_progress=no_progress,
        on_finding=no_progress,
        ends_at=time.monotonic() + seconds,
        seen=at.seen,
    )
    began_at = (at.part, at.after)
    parts = _parts(comparison, everything=False, still=STILL)
    try:
        is_complete = _go_on(comparison, at, parts, store=store)
    except EngineError as error:
        at.after = comparison.refused_at or at.after
        at.failures = at.failures + 1 if (at.part, at.after) == began_at else 1
        if at.failures >= TRIES and comparison.failed_at is not None:
            at.after, at.failures = comparison.failed_at, 0
        return comparison.report, at, str(error)
    at.failures = 0
    refused = "" if comparison.refused is None else str(comparison.refused)
    return comparison.report, None if is_complete else at, refused


def _parts(comparison: Comparison, *, everything: bool, still: timedelta) -> dict[str, Part]:
    since = None if everything else comparison.now - LOOK_BACK
    return {
        "unfinished in the engine": engine_side.compare_unfinished,
        "unfinished in the record": record_side.compare_unfinished,
        "ended in the engine": partial(engine_side.compare_ended, since=since),
        "callbacks": compare_callbacks,
        "standing still": partial(compare_standstill, still=still),
        "applications": record_side.compare_applications,
        "funded": partial(compare_funded, since=since),
    }


def _go_on(
    comparison: Comparison, at: Round, parts: dict[str, Part], *, store: Callable[[Round], None]
) -> bool:
    """Go on with a round, and note in it how far; returns whether it is complete."""
    names = list(parts)
    if at.part not in parts:
        at.part, at.after = names[0], None
    stored_at = time.monotonic()
    for following in [*names[names.index(at.part) + 1 :], ""]:
        for place in parts[at.part](comparison, at.after):
            at.after = place
            if time.monotonic() - stored_at >= STORE_EVERY:
                store(at)
                stored_at = time.monotonic()
        if comparison.is_cut:
            at.after = comparison.refused_at or at.after
            return False
        at.part, at.after, comparison.refused_at = following, None, None
        if following and comparison.is_over:
            return False
    return True
