"""Compare what the engine lists, unfinished or ended, with the record."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import batched
from typing import Any

from applications.models import LoanApplication
from workflows import engine
from workflows.engine import Listed
from workflows.errors import EngineError, EngineUnavailable, NotFound
from workflows.models import Execution, OutboxMessage
from workflows.reconcile import repairs
from workflows.reconcile.findings import CHUNK, Comparison, Finding, Place
from workflows.reconcile.questions import answered, in_time, read

OVER = frozenset(Execution.Status.values) - {Execution.Status.QUEUED, Execution.Status.RUNNING}
PAUSES = (OutboxMessage.Kind.PAUSE_EXECUTION, OutboxMessage.Kind.RESUME_EXECUTION)


@dataclass
class _Chunk:
    """Some listed executions, with what the record has of them."""

    items: tuple[Listed, ...]
    rows: dict[str, Execution]
    applications: dict[str, LoanApplication]  # by reference, of those without a row
    pauses: set[int]  # rows with a pause or its end on the way to the engine
    end: Place  # behind all of it


def compare_unfinished(comparison: Comparison, after: Place) -> Iterator[Place]:
    """Compare the executions that the engine has not finished."""
    for marker, chunk in _chunks(comparison, after, statuses=engine.UNFINISHED):
        comparison.seen.update(row.pk for row in chunk.rows.values() if row.ended_at is None)
        for listed in in_time(comparison, chunk.items):
            _unfinished(comparison, listed, chunk)
            yield [marker, listed.name]
        if not comparison.is_cut:
            yield chunk.end


def _unfinished(comparison: Comparison, listed: Listed, chunk: _Chunk) -> None:
    execution = chunk.rows.get(listed.name)
    if execution is None:
        _unknown(comparison, listed, chunk)
    elif execution.ended_at is not None:
        _ended_in_record_only(comparison, listed, execution)
    elif execution.status == Execution.Status.QUEUED:
        running = partial(repairs.note_start, listed, execution)
        differs(
            comparison,
            listed,
            execution,
            what="missed start",
            repair="set to running",
            do=running,
        )
    elif _is_paused_otherwise(listed, execution) and execution.pk not in chunk.pauses:
        record = "paused" if execution.paused_at else "not paused"
        paused = listed.status != "RUNNING"
        comparison.found(
            Finding(
                listed.name, listed.status, record, "pause differs", "record follows the engine"
            ),
            partial(repairs.follow_pause, execution, paused=paused, now=comparison.now),
        )


def compare_ended(
    comparison: Comparison, after: Place, *, since: datetime | None
) -> Iterator[Place]:
    """Compare the executions that ended in the engine, of those that started after ``since``."""
    for marker, chunk in _chunks(comparison, after, statuses=sorted(OVER), started_after=since):
        rows = chunk.rows

        def question(listed: Listed, rows: dict[str, Execution] = rows) -> Any:
            execution = rows.get(listed.name)
            if execution is None or execution.ended_at is not None:
                return None
            if execution.pk in comparison.seen or comparison.report.dry_run:
                return None
            return partial(engine.get, arn=listed.arn)

        def place(listed: Listed, marker: str = marker) -> Place:
            return [marker, listed.name]

        for listed, answer in answered(comparison, chunk.items, place=place, question=question):
            execution = rows.get(listed.name)
            if execution is None:
                _unknown(comparison, listed, chunk)
            elif execution.pk in comparison.seen:
                pass
            elif execution.ended_at is None:
                missed_end(comparison, listed, execution, answer)
            elif execution.status != listed.status:
                follow = partial(repairs.follow_end, listed, execution)
                differs(
                    comparison,
                    listed,
                    execution,
                    what="end differs",
                    repair="record follows",
                    do=follow,
                )
            yield place(listed)
        if not comparison.is_cut:
            yield chunk.end
    if not comparison.is_cut:
        comparison.seen.clear()  # no later comparison asks, and a round that is stored is smaller


def missed_end(
    comparison: Comparison, listed: Listed, execution: Execution, answer: dict[str, Any] | None
) -> None:
    """Record an end that the record has missed; ``answer`` is that of ``engine.get``."""
    differs(
        comparison,
        listed,
        execution,
        what="missed end",
        repair="end it; an application left in the middle is handed over",
        do=partial(repairs.end, listed, answer or {}, execution),
    )


def differs(
    comparison: Comparison,
    listed: Listed,
    execution: Execution,
    *,
    what: str,
    repair: str,
    do: Callable[[], None],
) -> None:
    """Add a finding about an execution that both sides have."""
    comparison.found(Finding(listed.name, listed.status, execution.status, what, repair), do)


def _unknown(comparison: Comparison, listed: Listed, chunk: _Chunk) -> None:
    application = chunk.applications.get(_reference(listed))
    finding = Finding(listed.name, listed.status, "none", "not on record", "incident")
    if application is None:
        finding = Finding(listed.name, listed.status, "none", "no such application", "none")
        comparison.found(finding, no_repair)
    else:
        comparison.found(finding, partial(repairs.unknown_execution, listed, application))


def no_repair() -> None:
    """Change nothing: no application belongs to the execution."""


def _ended_in_record_only(comparison: Comparison, listed: Listed, execution: Execution) -> None:
    if execution.ended_at is None or execution.ended_at > comparison.now - comparison.lag:
        return  # the stop may still be on its way to the engine
    if execution.status == Execution.Status.STOPPED:
        what, repair = "stop did not take", "stop again"
        do = partial(repairs.stop_again, listed, execution)
    else:
        what, repair = "goes on after its end", "incident"
        do = partial(repairs.goes_on, listed, execution)
    differs(comparison, listed, execution, what=what, repair=repair, do=do)


def _is_paused_otherwise(listed: Listed, execution: Execution) -> bool:
    return (execution.paused_at is not None) != (listed.status != "RUNNING")


def _reference(listed: Listed) -> str:
    return listed.name.rpartition("-")[0]


# --- Pages -----------------------------------------------------------------------------------


def _chunks(comparison: Comparison, after: Place, **wanted: Any) -> Iterator[tuple[str, _Chunk]]:
    """Yield the marker of each page with its executions, ``CHUNK`` at a time, while there is time.

    Begins behind a name on a page; with that page where the name is not on it any more, and with
    the first page where the engine does not take the marker any more.
    """
    marker, name = after if isinstance(after, list) else ("", "")
    is_resumed = bool(marker)
    while True:
        try:
            page = read(comparison, partial(engine.executions_page, marker=marker, **wanted))
        except EngineError as error:
            if not is_resumed or isinstance(error, EngineUnavailable | NotFound):
                raise
            marker, name, is_resumed = "", "", False
            continue
        names = [listed.name for listed in page.items]
        items = page.items[names.index(name) + 1 :] if name in names else page.items
        for chunk in list(batched(items, CHUNK)) or [()]:
            is_last = not chunk or chunk[-1] is items[-1]
            end: Place = [page.next_marker, ""] if is_last else [marker, chunk[-1].name]
            yield marker, _with_rows(comparison, chunk, end)
            is_left = bool(page.next_marker) or not is_last
            if not is_left or comparison.is_over:
                comparison.is_cut = comparison.is_cut or is_left
                return
        marker, name, is_resumed = page.next_marker, "", False


def _with_rows(comparison: Comparison, items: tuple[Listed, ...], end: Place) -> _Chunk:
    if items:
        comparison.count(len(items))
    names = [listed.name for listed in items]
    found = Execution.objects.filter(name__in=names).select_related("application")
    rows = {row.name: row for row in found}
    references = {_reference(listed) for listed in items if listed.name not in rows}
    applications = (
        {row.reference: row for row in LoanApplication.objects.filter(reference__in=references)}
        if references
        else {}
    )
    unsure = [
        rows[listed.name].pk
        for listed in items
        if listed.name in rows and _is_paused_otherwise(listed, rows[listed.name])
    ]
    return _Chunk(items, rows, applications, _pauses(unsure) if unsure else set(), end)


def _pauses(executions: list[int]) -> set[int]:
    waiting = OutboxMessage.objects.filter(
        execution__in=executions, kind__in=PAUSES, status=OutboxMessage.Status.PENDING
    )
    return {pk for pk in waiting.values_list("execution", flat=True) if pk is not None}
