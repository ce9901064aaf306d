"""The invariant check finds everything that is stuck."""

from dataclasses import replace

import pytest

from applications.choices import Status
from applications.models import LoanApplication
from devtools.chaos.findings import Fault
from tests.devtools.chaos.findings import UNANSWERED, all_of, found, only, rows
from tests.devtools.chaos.office import (
    Office,
)
from workflows import incidents
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback


@pytest.mark.parametrize("status", [Status.SUBMITTED, Status.IN_REVIEW, Status.APPROVED])
def test_case_that_has_not_ended_is_stuck_silently(office: Office, status: Status) -> None:
    LoanApplication.objects.filter(pk=office.row("declined").pk).update(status=status)
    assert only(office) == (Fault.STUCK, "declined", f"silently {status}")


def test_case_that_waits_for_a_person_says_for_whom(office: Office) -> None:
    LoanApplication.objects.filter(pk=office.row("declined").pk).update(
        status=Status.PENDING_APPROVAL, waiting_on="manager"
    )
    assert only(office)[2] == "silently pending_approval, waiting for manager"


def test_case_that_was_handed_over_is_told_with_its_incident_s_sentence(office: Office) -> None:
    application = office.row("declined")
    LoanApplication.objects.filter(pk=application.pk).update(status=Status.NEEDS_ATTENTION)
    incidents.incident_open(
        kind=Incident.Kind.WORKFLOW_FAILED,
        key="test",
        application=application,
        sentence="The workflow failed: six tries were not enough.",
    )
    assert only(office) == (
        Fault.STUCK,
        "declined",
        "incident: The workflow failed: six tries were not enough.; handed to Operations",
    )


def test_resolved_incident_is_no_finding(office: Office) -> None:
    incidents.incident_open(
        kind=Incident.Kind.CONTRADICTION,
        key="test",
        application=office.row("alone"),
        sentence="Mended.",
    )
    assert all_of(office, Fault.STUCK) == ["incident: Mended."]
    Incident.objects.update(status=Incident.Status.RESOLVED)
    assert found(office) == []


@pytest.mark.parametrize("status", [OutboxMessage.Status.PENDING, OutboxMessage.Status.DEAD])
def test_message_that_did_not_leave_is_stuck(office: Office, status: OutboxMessage.Status) -> None:
    OutboxMessage.objects.filter(
        kind="start_execution", execution__application=office.row("alone")
    ).update(status=status, attempts=3, last_error="EngineUnavailable: no")
    name = f"{office.acknowledged('alone').reference}-1"
    assert only(office) == (
        Fault.STUCK,
        "alone",
        f"start/{name} is {status} after 3 tries: EngineUnavailable: no",
    )


def test_mail_that_did_not_leave_is_stuck_under_its_own_name(office: Office) -> None:
    mail = OutboxMessage.objects.filter(kind="email").order_by("pk")[0]
    OutboxMessage.objects.filter(pk=mail.pk).update(status=OutboxMessage.Status.PENDING)
    (finding,) = found(office)
    assert (finding.fault, finding.subject) == (Fault.STUCK, mail.key)


def test_record_that_was_never_closed_is_stuck(office: Office) -> None:
    Execution.objects.filter(**rows(office, "alone")).update(ended_at=None)
    name = f"{office.acknowledged('alone').reference}-1"
    assert only(office) == (Fault.STUCK, "alone", f"the record says that {name} is SUCCEEDED")


def test_execution_that_still_runs_is_stuck(office: Office) -> None:
    office.engine[0] = replace(office.engine[0], status="RUNNING")
    name = office.engine[0].name
    assert all_of(office, Fault.STUCK) == [f"{name} still runs in the engine"]
    assert all_of(office, Fault.WRONG) == [
        f"{name} is SUCCEEDED in the record and RUNNING in the engine"
    ]


@pytest.mark.parametrize("status", [PendingCallback.Status.OPEN, PendingCallback.Status.ANSWERED])
def test_callback_that_nobody_closed_is_stuck(
    office: Office, status: PendingCallback.Status
) -> None:
    PendingCallback.objects.filter(
        execution__application=office.row("approved"), name="manager_approval"
    ).update(status=status)
    assert only(office) == (
        Fault.STUCK,
        "approved",
        f"callback manager_approval is {status}",
    )


def test_request_that_nobody_answered_is_stuck(office: Office) -> None:
    acknowledged = office.acknowledged("approved")
    acknowledged.decisions = dict.fromkeys(acknowledged.decisions, UNANSWERED)
    assert only(office) == (
        Fault.STUCK,
        "approved",
        "manager's approval (manager_approval) was never answered; last: 500",
    )


def test_submission_that_was_never_begun_is_stuck(office: Office) -> None:
    office.acknowledged("alone").submission = None
    assert only(office) == (Fault.STUCK, "alone", "the submission was never begun")
