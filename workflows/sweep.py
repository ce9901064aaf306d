"""Run the scheduled task ``sweep``: a loop in the demo, a scheduled event on Lambda."""

import logging
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
from core.form_submissions import form_submissions_forget
from partners.services.idempotency import idempotency_keys_forget
from partners.services.throttling import rate_counters_forget
from workflows import review_deadlines, undecidable
from workflows.callbacks.fraud_vendor import callback_requests_forget
from workflows.errors import EngineError
from workflows.models import PeriodicRun
from workflows.outbox import queue
from workflows.reconcile.compare import reconcile

logger = logging.getLogger(__name__)

SEAL_FOR = 5.0  # seconds; the rest is sealed the next time

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
    # A scheduled event is not a request, so Django does not check whether the connection of a
    # function that was frozen is still usable. In a transaction of the caller it is.
    if not connection.in_atomic_block:
        close_old_connections()
    passed = review_deadlines.pass_deadlines(now=timezone.now())
    sent = queue.send_due()
    for name, (every, do) in {**FORGETTING, **REGISTERED}.items():
        now_and_then(name, every, do)
    now_and_then("look_for_deciders", undecidable.LOOK_EVERY, undecidable.look)
    now_and_then("seal", settings.LOANOFFICE_SEAL_EVERY, _seal)
    findings = now_and_then("reconcile", settings.LOANOFFICE_RECONCILE_EVERY, _reconcile)
    return {"sent": sent, **passed, "reconciled": findings.get("findings", 0)}


def now_and_then(name: str, every: timedelta, do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run a job if it was last started ``every`` ago or earlier, here or by another sweep."""
    now = timezone.now()
    if not _start_if_due(name, before=now - every, now=now):
        return {}
    result = do()
    PeriodicRun.objects.filter(name=name).update(finished_at=timezone.now(), result=result)
    return result


def _start_if_due(name: str, *, before: datetime, now: datetime) -> bool:
    """Record the start of a job that is due; False when it is not, or another sweep was first."""
    rows = PeriodicRun.objects.filter(name=name)
    known = rows.first()  # takes no lock: mostly the job is not due
    if known is None:
        PeriodicRun.objects.bulk_create([PeriodicRun(name=name)], ignore_conflicts=True)
    elif known.started_at is not None and known.started_at > before:
        return False
    due = Q(started_at__isnull=True) | Q(started_at__lte=before)
    return bool(rows.filter(due).update(started_at=now))


def _forget(forget: Callable[..., int], limit: int) -> dict[str, Any]:
    return {"forgotten": forget(now=timezone.now(), limit=limit)}


def _seal() -> dict[str, Any]:
    """Seal what was added, and copy the seals: see ``audit.sealing``."""
    sealed = sealing.seals_make(seconds=SEAL_FOR)
    result: dict[str, Any] = {
        "number": sealed.number,
        "rows": sealed.rows,
        "waiting": sealed.waiting,
    }
    try:
        return result | {"copied": sealing.seals_copy()}
    except CopiesUnreachable as error:
        logger.warning("The seals cannot be copied; copied next time", extra={"why": str(error)})
        return result | {"error": str(error)}


def _reconcile() -> dict[str, Any]:
    try:
        report = reconcile()
    except EngineError as error:
        logger.warning(
            "The engine cannot be asked; reconciled next time", extra={"why": str(error)}
        )
        return {"error": str(error)}
    return {"compared": report.compared, "findings": len(report.findings)}


# How often old rows are deleted, and how many at once; an upload is also a file.
FORGETTING: dict[str, Job] = {
    name: (timedelta(minutes=minutes), partial(_forget, forget, at_once))
    for name, minutes, forget, at_once in (
        ("forget_idempotency_keys", 1, idempotency_keys_forget, 10_000),
        ("forget_uploads", 5, uploads_forget, 500),
        ("forget_callback_requests", 1, callback_requests_forget, 10_000),
        ("forget_form_submissions", 5, form_submissions_forget, 10_000),
        ("forget_rate_counters", 1, rate_counters_forget, 10_000),
    )
}
