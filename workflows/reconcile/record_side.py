"""Compare what the record has not finished with the engine, and with itself."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from applications.choices import Status
from applications.models import LoanApplication
from applications.transitions import is_terminal
from workflows import engine
from workflows.engine import Listed
from workflows.errors import NotFound
from workflows.models import Execution, OutboxMessage
from workflows.reconcile import repairs
from workflows.reconcile.engine_side import OVER, missed_end
from workflows.reconcile.findings import Comparison, Finding, Pace, Place
from workflows.reconcile.questions import answered, chunks, in_time, pk_of

UNDER_WAY = [
    status
    for status in Status
    if not is_terminal(status) and status not in {Status.DRAFT, Status.NEEDS_ATTENTION}
]
# A start that is on its way, or that was given up and has an incident.
NOT_LOST = (OutboxMessage.Status.PENDING, OutboxMessage.Status.DEAD)


def compare_unfinished(comparison: Comparison, after: Place) -> Iterator[Place]:
    """Ask the engine about each execution that the record has not finished and no list had."""
    rows = Execution.objects.filter(
        ended_at__isnull=True, queued_at__lt=comparison.now
    ).select_related("application")
    for chunk in chunks(comparison, rows, after):
        unseen = [row for row in chunk if row.pk not in comparison.seen]
        # Before the engine is asked: a start that leaves meanwhile is not lost.
        starts = _starts_on_their_way(unseen)
        for execution, told in answered(
            comparison,
            unseen,
            place=pk_of,
            question=lambda execution: partial(_ask, execution, comparison.pace),
        ):
            comparison.seen.add(execution.pk)
            comparison.count(1)
            if told is None:
                _not_in_engine(comparison, execution, starts)
            elif told[0].status in OVER:
                missed_end(comparison, *told)
            yield execution.pk
        if not comparison.is_cut:
            yield chunk[-1].pk


def _ask(execution: Execution, pace: Pace) -> tuple[Listed, Execution, dict[str, Any]] | None:
    """Read one execution from the engine; ``None`` when the engine does not know it.

    Runs in a thread, and touches no database.
    """
    arn = execution.arn
    if arn is None:
        listed = next(engine.executions(name=execution.name), None)
        if listed is None or listed.status not in OVER:
            return None if listed is None else (listed, execution, {})
        arn = listed.arn
        pace()
    try:
        details = engine.get(arn=arn)
    except NotFound:
        return None
    listed = Listed(
        arn=arn,
        name=execution.name,
        status=details["Status"],
        version=str(details.get("Version", "")),
        started_at=details["StartTimestamp"],
        ended_at=details.get("EndTimestamp"),
    )
    return listed, execution, details


def _starts_on_their_way(executions: Iterable[Execution]) -> set[int]:
    queued = [row for row in executions if row.status == Execution.Status.QUEUED]
    if not queued:
        return set()
    starts = repairs.starts_of(queued).filter(status__in=NOT_LOST)
    return {pk for pk in starts.values_list("execution", flat=True) if pk is not None}


def _not_in_engine(comparison: Comparison, execution: Execution, starts: set[int]) -> None:
    if execution.status == Execution.Status.QUEUED:
        if execution.pk not in starts:
            finding = Finding(
                execution.name, "unknown", execution.status, "start did not arrive", "start again"
            )
            comparison.found(finding, partial(repairs.start_again, execution))
        return
    finding = Finding(execution.name, "unknown", execution.status, "lost by the engine", "incident")
    sentence = (
        f"The engine does not know {execution.name} (any more), so nothing carries this "
        "application. Restart it."
    )
    hand_over = partial(
        repairs.hand_over, execution, ended=Execution.Status.FAILED, sentence=sentence
    )
    comparison.found(finding, hand_over)


def compare_applications(comparison: Comparison, after: Place) -> Iterator[Place]:
    """Find the applications under way that no unfinished execution carries."""
    carried = Execution.objects.filter(ended_at__isnull=True).values("application")
    rows = LoanApplication.objects.filter(
        status__in=UNDER_WAY, submitted_at__lt=comparison.now
    ).exclude(pk__in=carried)
    for chunk in chunks(comparison, rows, after):
        last_ones = {
            (row.application_id, row.attempt): row
            for row in Execution.objects.filter(
                name__in=[_execution_name(application) for application in chunk]
            ).select_related("application")
        }
        for application in in_time(comparison, chunk):
            execution = last_ones.get((application.pk, application.attempt))
            _without_execution(comparison, application, execution)
            yield application.pk


def _execution_name(application: LoanApplication) -> str:
    return f"{application.reference}-{application.attempt}"


def _without_execution(
    comparison: Comparison, application: LoanApplication, execution: Execution | None
) -> None:
    name = _execution_name(application)
    if execution is None:
        finding = Finding(name, "not asked", "none", "never queued", "queue it")
        comparison.found(finding, partial(repairs.queue_missing, application))
        return
    sentence = (
        f"{name} has ended ({execution.get_status_display().lower()}), but the application is "
        f"still {application.get_status_display().lower()}. Restart it."
    )
    finding = Finding(name, "not asked", execution.status, "ended in the middle", "incident")
    ended = Execution.Status(execution.status)
    comparison.found(finding, partial(repairs.hand_over, execution, ended=ended, sentence=sentence))
