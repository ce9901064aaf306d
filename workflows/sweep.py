"""Run the scheduled task ``sweep``: a loop in the demo, a scheduled event on Lambda.

A function is given 30 s, and a sweep that takes longer sends late what others wait for. So each
part is bounded, by rows or by seconds, and the next sweep does the rest:

==========================================  =======================================
deadlines of review tasks                   begun for 2 s
sending                                     begun for 8 s; a webhook takes 15 s more
old rows, deciders, seals, reconcile        until 27 s after the start of the sweep
questions that the engine does not answer   2 s more
==========================================  =======================================

So these jobs have 2 s at the least, when webhooks take as long as they may. Otherwise they have as
much as they may use: 2 s for the deciders, 5 s for the seals and their copies, 8 s for reconcile.
"""

import logging
import math
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import close_old_connections, connection
from django.db.models import Q
from django.utils import timezone

from applications.services.documents import uploads_forget
from audit import sealing
from audit.seal_copies import CopiesUnreachable
from core import invocations
from core.form_submissions import form_submissions_forget
from partners.services.idempotency import idempotency_keys_forget
from partners.services.throttling import rate_counters_forget
from reviews.services.notifications import notifications_forget
from workflows import engine, review_deadlines, undecidable
from workflows.backlog import backlog_count, backlog_read
from workflows.callbacks.fraud_vendor import callback_requests_forget
from workflows.models import PeriodicRun
from workflows.outbox import queue, webhook_pass
from workflows.probes import sentence_of
from workflows.reconcile.compare import reconcile_for
from workflows.reconcile.rounds import Round
from workflows.sweep_runs import sweep_run_record, sweep_runs_forget

logger = logging.getLogger(__name__)

LONGEST = 27.0  # seconds, of the 30 that a function is given
DEADLINES_FOR = 2.0  # seconds
DECIDERS_FOR = 2.0  # seconds
SEAL_FOR = 5.0  # seconds
RECONCILE_FOR = 8.0  # seconds
SHARE = 0.5  # of the time that is left; the rest is for the jobs that come later
RECONCILE = "reconcile"
# After this a run that has not ended is taken for dead, and one that failed is tried again.
AGAIN = timedelta(seconds=50)

type Job = tuple[timedelta, Callable[[], dict[str, Any]]]

# Jobs of the packages above this one: the interval between two starts, and the function.
REGISTERED: dict[str, Job] = {}


def register(name: str, every: timedelta, do: Callable[[], dict[str, Any]]) -> None:
    """Register a periodic job of the sweep. For an app's ``ready``."""
    REGISTERED[name] = (every, do)


def sweep(event: object = None, context: object = None) -> dict[str, int]:  # noqa: ARG001
    """Send what is due, remind, escalate, expire; seal and reconcile at their intervals.

    Accepts a Lambda event and ignores it. Returns how many were ``sent``, ``expired``,
    ``reminded`` and ``escalated``, and ``reconciled`` findings. Safe to run beside
    another sweep.
    """
    begun_at = time.monotonic()
    ends_at = begun_at + LONGEST
    invocations.begin(context)
    # A scheduled event is not a request, so Django does not check whether the connection of a
    # function that was frozen is still usable. In a transaction of the caller it is.
    if not connection.in_atomic_block:
        close_old_connections()
    passed = review_deadlines.pass_deadlines(now=timezone.now(), seconds=DEADLINES_FOR)
    sent = queue.send_due(seconds=webhook_pass.LONGEST_PASS)
    done = {name: now_and_then(name, every, do) for name, (every, do) in jobs(ends_at).items()}
    backlog = backlog_read(now=timezone.now())
    backlog_count(backlog)
    sweep_run_record(
        backlog,
        seconds=time.monotonic() - begun_at,
        engine_error=_engine_error(),
    )
    return {"sent": sent, **passed, "reconciled": done[RECONCILE].get("findings", 0)}


def jobs(ends_at: float = math.inf) -> dict[str, Job]:
    """Return the periodic jobs; those that take the time that is left come last."""

    def timed(do: Callable[[float], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
        return lambda: do(_left(ends_at))

    return {
        **FORGETTING,
        **REGISTERED,
        "look_for_deciders": (undecidable.LOOK_EVERY, timed(_look_for_deciders)),
        "seal": (settings.LOANOFFICE_SEAL_EVERY, timed(_seal)),
        RECONCILE: (settings.LOANOFFICE_RECONCILE_EVERY, timed(_reconcile)),
    }


def _engine_error() -> str:
    """Return why the engine was not reached just now or at the last comparison; else empty."""
    if engine.is_circuit_open():
        return "The engine cannot be reached."
    result = PeriodicRun.objects.filter(name=RECONCILE).values_list("result", flat=True).first()
    return sentence_of(str((result or {}).get("error", "")))


def _left(ends_at: float) -> float:
    return max(0.0, ends_at - time.monotonic())


def now_and_then(name: str, every: timedelta, do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run a job if it was last started ``every`` ago or earlier, here or by another sweep.

    One that has stored a place to go on from is due at once, unless it is under way or failed.
    """
    now = timezone.now()
    if not _start_if_due(name, every=every, now=now):
        return {}
    result = do()
    PeriodicRun.objects.filter(name=name).update(finished_at=timezone.now(), result=result)
    return result


def _start_if_due(name: str, *, every: timedelta, now: datetime) -> bool:
    """Record the start of a job that is due; False when it is not, or another sweep was first."""
    rows = PeriodicRun.objects.filter(name=name)
    known = rows.first()  # takes no lock: mostly the job is not due
    if known is None:
        PeriodicRun.objects.bulk_create([PeriodicRun(name=name)], ignore_conflicts=True)
    elif known.started_at is not None and not _is_due(known, known.started_at, every, now):
        return False
    started = Q(started_at__isnull=True)
    if known is not None and known.started_at is not None:
        started = Q(started_at=known.started_at)
    return bool(rows.filter(started).update(started_at=now))


def _is_due(known: PeriodicRun, started_at: datetime, every: timedelta, now: datetime) -> bool:
    if not known.place:
        return started_at <= now - every
    if started_at <= now - AGAIN:
        return True
    is_under_way = known.finished_at is None or known.finished_at < started_at
    return not is_under_way and ("error" not in known.result or started_at <= now - every)


def _forget(forget: Callable[..., int], limit: int) -> dict[str, Any]:
    return {"forgotten": forget(now=timezone.now(), limit=limit)}


def _look_for_deciders(seconds: float) -> dict[str, Any]:
    return undecidable.look(seconds=min(DECIDERS_FOR, SHARE * seconds))


def _seal(seconds: float) -> dict[str, Any]:
    """Seal what was added, and copy the seals: see ``audit.sealing``."""
    ends_at = time.monotonic() + min(SEAL_FOR, SHARE * seconds)
    sealed = sealing.seals_make(seconds=SHARE * _left(ends_at))
    result: dict[str, Any] = {
        "number": sealed.number,
        "rows": sealed.rows,
        "waiting": sealed.waiting,
    }
    try:
        return result | {"copied": sealing.seals_copy(seconds=_left(ends_at))}
    except CopiesUnreachable as error:
        logger.warning("The seals cannot be copied; copied next time", extra={"why": str(error)})
        return result | {"error": str(error)}


def _reconcile(seconds: float) -> dict[str, Any]:
    """Make one pass of a round: see ``workflows.reconcile.compare``."""
    rows = PeriodicRun.objects.filter(name=RECONCILE)

    def store(going_on: Round | None) -> None:
        rows.update(place={} if going_on is None else going_on.stored())

    stored = rows.values_list("place", flat=True).get()
    report, going_on, error = reconcile_for(
        seconds=min(RECONCILE_FOR, seconds),
        going_on=Round.from_stored(stored) if stored else None,
        store=store,
    )
    store(going_on)
    result: dict[str, Any] = {
        "compared": report.compared,
        "findings": len(report.findings),
        "complete": going_on is None,
    }
    if error:
        logger.warning("The engine cannot be asked; reconciled next time", extra={"why": error})
        result["error"] = error
    return result


# How often old rows are deleted, and how many at once; an upload is also a file.
FORGETTING: dict[str, Job] = {
    name: (timedelta(minutes=minutes), partial(_forget, forget, at_once))
    for name, minutes, forget, at_once in (
        ("forget_idempotency_keys", 1, idempotency_keys_forget, 10_000),
        ("forget_uploads", 1, uploads_forget, 100),
        ("forget_callback_requests", 1, callback_requests_forget, 10_000),
        ("forget_form_submissions", 5, form_submissions_forget, 10_000),
        ("forget_notifications", 5, notifications_forget, 10_000),
        ("forget_rate_counters", 1, rate_counters_forget, 10_000),
        ("forget_sweep_runs", 60, sweep_runs_forget, 10_000),
    )
}
