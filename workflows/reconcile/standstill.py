"""Find executions that run for the engine, while nothing is under way in them and nothing is due.

No side reports an end of such an execution, so only its history tells: its latest event is old, and
it has no callback, wait or retry that is still to come. On Lambda an invocation ends after fifteen
minutes, so whatever was under way then is over.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import Exists, OuterRef

from applications.models import ApplicationEvent
from workflows import engine
from workflows.errors import NotFound
from workflows.models import Execution, Incident, PendingCallback
from workflows.reconcile import repairs
from workflows.reconcile.findings import Comparison, Finding, Pace, Place
from workflows.reconcile.questions import answered, chunks, later_pages, pk_of

# Longer than an invocation may take, and than the engine waits between two attempts.
STILL = timedelta(minutes=30)
BEGINNINGS = frozenset({"CallbackStarted", "WaitStarted", "ChainedInvokeStarted"})
KINDS = ("Callback", "Wait", "ChainedInvoke")


def compare_standstill(
    comparison: Comparison, after: Place, *, still: timedelta
) -> Iterator[Place]:
    """Report the executions in which nothing has happened for ``still`` and nothing is to come.

    Only those are read from the engine in which the record waits for nobody and shows no progress.
    """
    before = comparison.now - still
    waiting = PendingCallback.objects.filter(
        execution=OuterRef("pk"),
        status__in=[PendingCallback.Status.OPEN, PendingCallback.Status.ANSWERED],
    )
    moved = ApplicationEvent.objects.filter(application=OuterRef("application"), at__gt=before)
    reported = Incident.objects.filter(
        execution=OuterRef("pk"), kind=Incident.Kind.ENGINE_DISAGREES
    ).exclude(status=Incident.Status.RESOLVED)
    rows = Execution.objects.filter(
        ~Exists(waiting),
        ~Exists(moved),
        ~Exists(reported),
        status=Execution.Status.RUNNING,
        ended_at__isnull=True,
        paused_at__isnull=True,
        arn__isnull=False,
    ).select_related("application")
    for chunk in chunks(comparison, rows, after):
        for execution, events in answered(
            comparison,
            chunk,
            place=pk_of,
            question=lambda execution: partial(_history, execution, comparison.pace),
        ):
            comparison.count(1)
            latest = max((event["EventTimestamp"] for event in events or ()), default=None)
            if events and latest and latest <= before and not _is_armed(events, comparison.now):
                finding = Finding(
                    execution.name, "RUNNING", execution.status, "stands still", "incident"
                )
                comparison.found(finding, partial(repairs.stands_still, execution, latest))
            yield execution.pk


def _history(execution: Execution, pace: Pace) -> list[dict[str, Any]]:
    """Read the history; without events where the engine does not know the execution.

    That is reported as lost by the engine. Runs in a thread, and touches no database.
    """
    try:
        return engine.history(arn=str(execution.arn), before_page=later_pages(pace))
    except NotFound:
        return []


def _is_armed(events: Iterable[dict[str, Any]], now: datetime) -> bool:
    """Return whether something is still to come: an answer, the end of a wait, another attempt."""
    due: dict[str, bool] = {}
    for event in events:
        operation, kind = event.get("Id", ""), event["EventType"]
        if kind == "WaitStarted":
            end = event.get("WaitStartedDetails", {}).get("ScheduledEndTimestamp")
            due[operation] = end is None or end > now
        elif kind == "StepFailed":
            retry = event.get("StepFailedDetails", {}).get("RetryDetails", {})
            delay = timedelta(seconds=retry.get("NextAttemptDelaySeconds") or 0)
            due[operation] = event["EventTimestamp"] + delay > now
        elif kind in BEGINNINGS:
            due[operation] = True
        elif kind.startswith(KINDS) or kind.startswith("Step"):
            due[operation] = False
        elif kind in {"ExecutionSucceeded", "ExecutionFailed", "ExecutionStopped"}:
            return True  # it has ended meanwhile
    return any(due.values())
