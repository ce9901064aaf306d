"""The invariant check finds everything that stands twice."""

from dataclasses import replace

import pytest

from applications.models import ApplicationEvent
from devtools.chaos.findings import Fault
from devtools.chaos.snapshot import EngineExecution
from partners.models import Partner
from tests.devtools.chaos.findings import found, only
from tests.devtools.chaos.office import (
    Office,
    pay,
    submitted,
    twice,
)
from workflows import executions
from workflows.models import Execution, OutboxMessage


def test_second_application_of_one_submission_is_doubled_and_not_stuck(office: Office) -> None:
    # The database refuses a second one of the same partner.
    partner = Partner.objects.create(name="Another partner")
    copy = submitted(office, office.acknowledged("approved"), partner=partner)
    OutboxMessage.objects.update(status=OutboxMessage.Status.SENT)
    office.engine.append(EngineExecution(f"{copy.reference}-1", "arn", "RUNNING"))
    Execution.objects.filter(application=copy).update(status=Execution.Status.RUNNING, arn="arn")
    fault, subject, why = only(office)
    assert (fault, subject) == (Fault.DOUBLED, "approved")
    assert why.startswith("2 applications for approved: ")
    assert f"{copy.reference} (submitted)" in why


def test_second_payout_is_doubled(office: Office) -> None:
    pay(office.row("two"), key="another key")
    assert only(office) == (Fault.DOUBLED, "two", "the rail paid 2 times")


def test_payout_for_a_case_that_is_not_funded_is_doubled(office: Office) -> None:
    pay(office.row("withdrawn"), key="payout")
    assert only(office) == (
        Fault.DOUBLED,
        "withdrawn",
        "the rail paid, but the application is withdrawn",
    )


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ("ledger", "there are 2 ledger rows"),
        ("offers", "there are 2 offers"),
        ("decisions", "manager decided manager_approval 2 times"),
    ],
)
def test_row_that_stands_twice_is_doubled(office: Office, field: str, why: str) -> None:
    reference = office.acknowledged("approved").reference
    snapshot = twice(office.snapshot, field, lambda row: row.reference == reference)
    assert only(office, snapshot) == (Fault.DOUBLED, "approved", why)


@pytest.mark.parametrize("kind", ["submitted", "risk_assessment", "manager_approval_approved"])
def test_line_of_the_timeline_that_stands_twice_is_doubled(office: Office, kind: str) -> None:
    ApplicationEvent.objects.create(
        application=office.row("approved"), kind=kind, message="Once more."
    )
    assert only(office) == (
        Fault.DOUBLED,
        "approved",
        f"“{kind}” stands 2 times in the timeline",
    )


def test_third_approval_of_two_is_doubled(office: Office) -> None:
    kind = "manager_approval_approved"
    ApplicationEvent.objects.create(application=office.row("two"), kind=kind, message="Again.")
    assert only(office) == (Fault.DOUBLED, "two", f"“{kind}” stands 3 times in the timeline")


def test_answer_that_may_be_noted_again_is_no_finding(office: Office) -> None:
    for _ in range(2):
        ApplicationEvent.objects.create(
            application=office.row("two"), kind="late_answer", message="Late."
        )
    assert found(office) == []


def test_second_delivery_of_a_callback_is_doubled(office: Office) -> None:
    first = OutboxMessage.objects.get(
        kind="answer_callback",
        execution__application=office.row("approved"),
        callback__name="manager_approval",
    )
    OutboxMessage.objects.create(
        kind=first.kind,
        key="answer/again",
        status=OutboxMessage.Status.SENT,
        callback=first.callback,
        execution=first.execution,
    )
    assert only(office) == (
        Fault.DOUBLED,
        "approved",
        f"callback {first.callback_id} has 2 deliveries",
    )


def test_second_execution_in_the_engine_is_doubled(office: Office) -> None:
    office.engine.append(replace(office.engine[0]))
    name = office.engine[0].name
    assert only(office) == (Fault.DOUBLED, "alone", f"the engine has 2 executions named {name}")


def test_execution_that_nobody_recorded_is_doubled(office: Office) -> None:
    office.engine.append(EngineExecution("LOAN-22222222-1", "arn", "SUCCEEDED"))
    assert only(office) == (
        Fault.DOUBLED,
        "LOAN-22222222-1",
        "the engine runs what there is no record of",
    )


def test_second_attempt_that_nobody_asked_for_is_doubled(office: Office) -> None:
    application = office.row("alone")
    application.attempt = 2
    execution = executions.execution_queue(application=application)
    Execution.objects.filter(pk=execution.pk).update(
        status=Execution.Status.SUCCEEDED, arn="arn", ended_at=application.submitted_at
    )
    OutboxMessage.objects.update(status=OutboxMessage.Status.SENT)
    office.engine.append(EngineExecution(execution.name, "arn", "SUCCEEDED"))
    assert only(office) == (Fault.DOUBLED, "alone", "there are 2 executions")
