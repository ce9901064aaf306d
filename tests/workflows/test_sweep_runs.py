"""Each minute's sweep leaves one row: what waited, and what it tells of the office."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from reviews.models import ReviewTask
from tests.casework import many_waiting_for_manager
from tests.workflows import trouble
from tests.workflows.lambda_stub import LambdaStub
from workflows import engine, sweep
from workflows.backlog import Backlog, backlog_read
from workflows.models import OutboxMessage, PeriodicRun, SweepRun
from workflows.sweep_runs import (
    KEPT_FOR,
    sweep_run_last,
    sweep_run_record,
    sweep_runs_forget,
    warnings_of,
)

LISTED = "/2025-12-01/functions/loan-approval/durable-executions"
NOTHING = Backlog(0, 0, 0, 0)


@pytest.mark.django_db
def test_backlog_counts_what_waits_and_the_age_of_the_oldest_message(
    officer: User, decider: User
) -> None:
    now = timezone.now()
    assert backlog_read(now=now) == NOTHING
    many_waiting_for_manager(officer, 2)
    trouble.stuck(officer)
    ReviewTask.objects.update(due_at=now)
    OutboxMessage.objects.update(status="sent")
    ages = (timedelta(minutes=3), timedelta(hours=2), timedelta(days=1))
    for age, status in zip(ages, ("pending", "pending", "dead"), strict=True):
        OutboxMessage.objects.create(
            kind="email",
            key=f"{age}",
            status=status,
            created_at=now - age,
            due_at=now + timedelta(hours=1),  # tried before, and again later
        )

    assert backlog_read(now=now) == Backlog(
        outbox_pending=2, outbox_oldest_seconds=7200, incidents_open=1, tasks_overdue=2
    )


@pytest.mark.django_db
def test_sweeps_of_one_minute_leave_one_row_and_the_next_minute_another(
    aws: LambdaStub, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    aws.known[LISTED] = {"DurableExecutions": []}
    settings.LOANOFFICE_SEAL_EVERY = timedelta(days=1)
    at = timezone.now().replace(second=10)
    for seconds in (0, 20, 49, 51):
        now = at + timedelta(seconds=seconds)
        monkeypatch.setattr("workflows.sweep_runs.timezone.now", lambda now=now: now)
        sweep.sweep()

    first, second = SweepRun.objects.order_by("minute")
    assert (first.ended_at, second.ended_at) == (at, at + timedelta(seconds=51))
    assert second.minute - first.minute == timedelta(minutes=1)
    assert 0 <= first.seconds < sweep.LONGEST
    assert first.engine_error == ""


@pytest.mark.django_db
def test_row_says_why_the_engine_could_not_be_asked(settings: Any) -> None:
    settings.LOANOFFICE_SEAL_EVERY = timedelta(days=1)

    sweep.sweep()  # no engine answers

    last = sweep_run_last()
    assert last is not None
    assert last.engine_error == "The engine cannot be reached."
    PeriodicRun.objects.filter(name=sweep.RECONCILE).update(
        result={"error": 'Not reached: "http://127.0.0.1:9/x"'}
    )
    engine.circuit_close()
    assert sweep._engine_error() == "Not reached."
    PeriodicRun.objects.filter(name=sweep.RECONCILE).update(result={"compared": 3})
    assert sweep._engine_error() == ""


@pytest.mark.django_db
def test_rows_of_eight_days_are_kept() -> None:
    now = timezone.now()
    sweep_run_record(NOTHING, seconds=0.1, engine_error="")
    SweepRun.objects.update(minute=now - KEPT_FOR - timedelta(minutes=1))
    sweep_run_record(NOTHING, seconds=0.1, engine_error="")
    SweepRun.objects.filter(minute__gt=now - KEPT_FOR).update(minute=now - KEPT_FOR)

    assert sweep_runs_forget(now=now, limit=10) == 1
    assert SweepRun.objects.get().minute == now - KEPT_FOR


NOW = timezone.now()


def row(*, ago: timedelta = timedelta(seconds=40), oldest: int = 0, error: str = "") -> SweepRun:
    return SweepRun(ended_at=NOW - ago, outbox_oldest_seconds=oldest, engine_error=error)


def test_warnings_begin_at_the_thresholds_of_the_alarms() -> None:
    assert warnings_of(None, now=NOW).never_ran
    assert not warnings_of(row(oldest=600), now=NOW).some
    assert not warnings_of(row(ago=timedelta(seconds=290)), now=NOW).some
    late = warnings_of(row(ago=timedelta(minutes=6)), now=NOW)
    assert late.some
    assert late.sweep_late == timedelta(minutes=6)
    assert warnings_of(row(oldest=601), now=NOW).outbox_late == timedelta(seconds=601)
    assert warnings_of(row(error="No route"), now=NOW).engine_error == "No route"
