"""Runs reconcile and says what it found and what it changed."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User

from applications.models import ApplicationEvent, LoanApplication
from reviews.models import ReviewDecision, ReviewTask
from tests.casework import assess, submit
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback
from workflows.reconcile.compare import reconcile
from workflows.reconcile.findings import Report


def found(report: Report) -> list[str]:
    return [finding.what for finding in report.findings]


def run(*, lag: timedelta = timedelta(0), **options: Any) -> Report:
    return reconcile(calls_per_second=1000, lag=lag, **options)


def mended(*whats: str) -> None:
    """A dry run finds it and changes nothing, a run mends it, another finds nothing."""
    before = state()
    assert found(run(dry_run=True)) == list(whats)
    assert state() == before
    assert found(run()) == list(whats)
    assert found(run()) == []


def state() -> list[Any]:
    return [
        list(model.objects.order_by("pk").values())
        for model in (
            LoanApplication,
            ApplicationEvent,
            ReviewTask,
            ReviewDecision,
            Execution,
            PendingCallback,
            OutboxMessage,
            Incident,
        )
    ]


def under_review(user: User, **fields: Any) -> LoanApplication:
    application = submit(user, **fields)
    assess(application)
    application.refresh_from_db()
    return application
