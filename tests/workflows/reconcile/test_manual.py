"""A reconcile that a person asked for: permitted, bounded in time, audited case by case."""

from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User

from applications.models import ApplicationEvent
from core.errors import NotPermitted
from tests import casework
from tests.workflows.lambda_stub import LambdaStub
from workflows.models import Incident
from workflows.reconcile import manual
from workflows.reconcile.manual import PATIENCE, reconcile_manually

NOTHING = {"DurableExecutions": []}
MISSING = (404, "ResourceNotFoundException")


def test_somebody_else_is_refused_before_the_engine_is_asked(
    auditor: User, officer: User, aws: LambdaStub
) -> None:
    casework.waiting_for_manager(officer)

    for dry_run in (True, False):
        with pytest.raises(NotPermitted):
            reconcile_manually(user=auditor, dry_run=dry_run)

    assert aws.reads == []


def test_run_ends_when_the_time_is_over_and_keeps_what_it_mended(
    operations: User, officer: User, aws: LambdaStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [casework.waiting_for_manager(officer) for _ in range(3)]
    aws.pages += [NOTHING, MISSING, MISSING, MISSING, NOTHING]
    # The clock: at the start, when the first case was compared, when it was mended.
    ticks = iter([0.0, 1.0, PATIENCE.total_seconds() + 1])
    monkeypatch.setattr(manual, "time", SimpleNamespace(monotonic=lambda: next(ticks)))

    looked = reconcile_manually(user=operations, dry_run=False)

    assert looked.is_cut_short
    assert not looked.is_complete
    assert (looked.engine_error, looked.compared) == ("", 1)
    assert [finding.reference for finding in looked.findings] == [cases[0].reference]
    assert [incident.application for incident in Incident.objects.all()] == [cases[0]]
    assert ApplicationEvent.objects.filter(kind="reconciled").count() == 1
    # Others may have been asked about with the first one; nothing was begun afterwards.
    assert 2 <= len(aws.reads) <= 1 + len(cases)
    assert sum("/durable-executions?" in path for path in aws.reads) == 1


def test_each_mended_case_has_a_line_and_a_dry_run_leaves_none(
    operations: User, officer: User, aws: LambdaStub
) -> None:
    cases = [casework.waiting_for_manager(officer) for _ in range(2)]
    aws.pages += [NOTHING, MISSING, MISSING, NOTHING] * 2

    looked = reconcile_manually(user=operations, dry_run=True)
    assert looked.is_complete
    assert [finding.reference for finding in looked.findings] == [c.reference for c in cases]
    assert not ApplicationEvent.objects.filter(kind="reconciled").exists()

    mended = reconcile_manually(user=operations, dry_run=False)

    assert mended.findings == looked.findings
    lines = ApplicationEvent.objects.filter(kind="reconciled", actor=operations)
    assert [line.application for line in lines] == cases
    assert {line.data["engine"] for line in lines} == {"unknown"}


def test_finding_about_no_case_of_ours_is_told_and_leaves_no_line(
    operations: User, aws: LambdaStub
) -> None:
    foreign = {
        "DurableExecutionArn": "arn:foreign",
        "DurableExecutionName": "LOAN-ELSEWHERE-1",
        "FunctionArn": "arn:aws:lambda:ca-central-1:1:function:loan-approval:1",
        "Status": "RUNNING",
        "StartTimestamp": 1_790_000_000.0,
    }
    aws.pages += [{"DurableExecutions": [foreign]}, NOTHING]

    looked = reconcile_manually(user=operations, dry_run=False)

    assert [(finding.what, finding.repair) for finding in looked.findings] == [
        ("no such application", "none")
    ]
    assert not ApplicationEvent.objects.exists()
