"""Compare the pending callbacks of the record with the engine's history."""

from collections.abc import Callable
from functools import partial

from workflows import engine
from workflows.errors import NotFound
from workflows.models import OutboxMessage, PendingCallback
from workflows.reconcile import repairs
from workflows.reconcile.findings import CHUNK, Comparison, Finding

CALLBACK_ENDS = {
    "CallbackSucceeded": "succeeded",
    "CallbackFailed": "failed",
    "CallbackTimedOut": "timed out",
}


def compare_callbacks(comparison: Comparison) -> None:
    """Compare the callbacks whose answer or end is overdue with the engine."""
    overdue = comparison.now - comparison.lag
    rows = PendingCallback.objects.filter(
        execution__ended_at__isnull=True, execution__arn__isnull=False
    ).select_related("execution__application", "review_task")
    waiting = rows.filter(status=PendingCallback.Status.OPEN, expires_at__lt=overdue)
    answered = rows.filter(status=PendingCallback.Status.ANSWERED, answered_at__lt=overdue)
    for callback in (waiting | answered).order_by("pk").iterator(chunk_size=CHUNK):
        comparison.count(1)
        _compare(comparison, callback)


def _compare(comparison: Comparison, callback: PendingCallback) -> None:
    state = _state(comparison, callback)
    answered = callback.status == PendingCallback.Status.ANSWERED
    on_its_way = OutboxMessage.objects.filter(
        callback=callback, status__in=["pending", "dead"]
    ).exists()
    found: dict[tuple[str, bool], tuple[str, str, Callable[[PendingCallback], None]]] = {
        ("succeeded", True): ("delivered, not noted", "note it", repairs.note_delivered),
        ("succeeded", False): ("answered elsewhere", "incident", repairs.answered_elsewhere),
        ("timed out", True): ("closed before the answer", "late", repairs.close_callback),
        ("timed out", False): ("closed, not noted", "close it", repairs.close_callback),
        ("failed", True): ("closed before the answer", "late", repairs.close_callback),
        ("failed", False): ("closed, not noted", "close it", repairs.close_callback),
    }
    if not on_its_way:
        found["waiting", True] = ("answer did not arrive", "send again", repairs.answer_again)
    if (state, answered) in found:
        what, repair, do = found[state, answered]
        name = f"{callback.execution.name} {callback.name}"
        comparison.found(Finding(name, state, callback.status, what, repair), partial(do, callback))


def _state(comparison: Comparison, callback: PendingCallback) -> str:
    """Return ``waiting``, ``succeeded``, ``failed``, ``timed out`` or ``unknown``."""
    try:
        events = engine.history(arn=str(callback.execution.arn), before_page=comparison.pace)
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
