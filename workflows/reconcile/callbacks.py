"""Compare the pending callbacks of the record with the engine's history."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from workflows import engine
from workflows.errors import NotFound
from workflows.models import OutboxMessage, PendingCallback
from workflows.reconcile import repairs
from workflows.reconcile.findings import Comparison, Finding, Pace, Place
from workflows.reconcile.questions import answered, chunks, later_pages, pk_of

CALLBACK_ENDS = {
    "CallbackSucceeded": "succeeded",
    "CallbackFailed": "failed",
    "CallbackTimedOut": "timed out",
}
# An answer that is still to be sent, or that was given up and has an incident.
NOT_LOST = (OutboxMessage.Status.PENDING, OutboxMessage.Status.DEAD)


def compare_callbacks(comparison: Comparison, after: Place) -> Iterator[Place]:
    """Compare the callbacks whose answer or end is overdue with the engine."""
    overdue = comparison.now - comparison.lag
    rows = PendingCallback.objects.filter(
        execution__ended_at__isnull=True, execution__arn__isnull=False
    ).select_related("execution__application", "review_task")
    waiting = rows.filter(status=PendingCallback.Status.OPEN, expires_at__lt=overdue)
    answered_rows = rows.filter(status=PendingCallback.Status.ANSWERED, answered_at__lt=overdue)
    for chunk in chunks(comparison, waiting | answered_rows, after):
        # Before the engine is asked: an answer that leaves meanwhile is not lost.
        on_their_way = _answers_on_their_way(chunk)
        for callback, state in answered(
            comparison,
            chunk,
            place=pk_of,
            question=lambda callback: partial(_state, callback, comparison.pace),
        ):
            comparison.count(1)
            _compare(comparison, callback, str(state), on_their_way)
            yield callback.pk


def _answers_on_their_way(callbacks: Iterable[PendingCallback]) -> set[int]:
    messages = OutboxMessage.objects.filter(
        callback__in=[row.pk for row in callbacks], status__in=NOT_LOST
    )
    return set(messages.values_list("callback__pk", flat=True))


def _compare(
    comparison: Comparison, callback: PendingCallback, state: str, on_their_way: set[int]
) -> None:
    is_answered = callback.status == PendingCallback.Status.ANSWERED
    found: dict[tuple[str, bool], tuple[str, str, Callable[[PendingCallback], None]]] = {
        ("succeeded", True): ("delivered, not noted", "note it", repairs.note_delivered),
        ("succeeded", False): ("answered elsewhere", "incident", repairs.answered_elsewhere),
        ("timed out", True): ("closed before the answer", "late", repairs.close_callback),
        ("timed out", False): ("closed, not noted", "close it", repairs.close_callback),
        ("failed", True): ("closed before the answer", "late", repairs.close_callback),
        ("failed", False): ("closed, not noted", "close it", repairs.close_callback),
    }
    if callback.pk not in on_their_way:
        found["waiting", True] = ("answer did not arrive", "send again", repairs.answer_again)
    if (state, is_answered) in found:
        what, repair, do = found[state, is_answered]
        name = f"{callback.execution.name} {callback.name}"
        comparison.found(Finding(name, state, callback.status, what, repair), partial(do, callback))


def _state(callback: PendingCallback, pace: Pace) -> str:
    """Return ``waiting``, ``succeeded``, ``failed``, ``timed out`` or ``unknown``.

    Runs in a thread, and touches no database.
    """
    try:
        events = engine.history(arn=str(callback.execution.arn), before_page=later_pages(pace))
    except NotFound:
        return "unknown"
    started = (
        event["Id"]
        for event in events
        if event.get("CallbackStartedDetails", {}).get("CallbackId") == callback.callback_id
    )
    operation = next(started, None)
    if operation is None:
        return "unknown"
    mine = (event["EventType"] for event in events if event.get("Id") == operation)
    return next((CALLBACK_ENDS[kind] for kind in mine if kind in CALLBACK_ENDS), "waiting")
