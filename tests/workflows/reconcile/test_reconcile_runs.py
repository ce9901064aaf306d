"""Runs of reconcile: page by page, by the command and by the sweep, on a real engine."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from tests.casework import submit
from tests.workflows.reconcile.comparing import found, run
from tests.workflows.reconcile.engine import Carry, carry, endpoint
from workflows import engine, sweep
from workflows.models import Execution, PeriodicRun
from workflows.reconcile.findings import Finding

__all__ = ["carry", "endpoint"]
pytestmark = pytest.mark.django_db


def test_list_is_read_page_by_page_and_progress_is_told(
    officer: User, monkeypatch: pytest.MonkeyPatch, carry: Carry
) -> None:
    monkeypatch.setattr(engine, "LARGEST_PAGE", 3)
    cases = [submit(officer) for _ in range(8)]
    for application in cases:
        carry(application, do="wait", noted=False)
    heard: list[int] = []
    report = run(on_progress=heard.append)
    assert found(report) == ["missed start"] * 8
    assert Execution.objects.filter(status="RUNNING").count() == 8
    assert heard == sorted(heard)
    assert heard[-1] == report.compared >= 8


def test_command_prints_a_table_and_a_dry_run_says_so(officer: User, carry: Carry) -> None:
    application = submit(officer)
    carry(application, do="wait", noted=False)
    out = StringIO()
    call_command("reconcile", "--dry-run", "--rate=1000", stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0].split() == ["execution", "engine", "record", "found", "repair"]
    assert lines[2].split()[:3] == [f"{application.reference}-1", "RUNNING", "QUEUED"]
    assert "would be repaired (dry run: nothing was changed)" in lines[-1]
    assert Execution.objects.get().status == "QUEUED"
    out = StringIO()
    call_command("reconcile", "--all", "--rate=1000", stdout=out)
    assert "1 repaired." in out.getvalue().splitlines()[-1]


def test_command_says_when_the_engine_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9")
    engine.forget_client()
    with pytest.raises(CommandError, match="The engine cannot be asked"):
        call_command("reconcile")
    with pytest.raises(CommandError, match="above zero"):
        call_command("reconcile", "--rate=0")


def test_sweep_reconciles_now_and_then_and_outlives_an_engine_that_is_down(
    officer: User, carry: Carry, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry(submit(officer), do="wait", noted=False)
    assert sweep.sweep()["reconciled"] == 1
    carry(submit(officer), do="wait", noted=False)
    assert sweep.sweep()["reconciled"] == 0  # not due yet
    settings.LOANOFFICE_RECONCILE_EVERY = timedelta(0)
    assert sweep.sweep()["reconciled"] == 1
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9")
    engine.forget_client()
    assert sweep.sweep()["reconciled"] == 0
    assert "error" in PeriodicRun.objects.get(name="reconcile").result


def test_finding_says_both_sides(officer: User, carry: Carry) -> None:
    application = submit(officer)
    carry(application, do="wait", noted=False)
    assert run(dry_run=True).findings == [
        Finding(f"{application.reference}-1", "RUNNING", "QUEUED", "missed start", "set to running")
    ]
