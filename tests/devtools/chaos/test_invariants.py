"""The invariant check finds every kind of damage, and nothing where there is none."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User

from accounts.roles import Role
from applications.choices import Status
from applications.models import ApplicationEvent, Disbursement, LoanApplication, LoanOffer
from devtools.chaos.acknowledgements import Reply, State
from devtools.chaos.invariants import Fault, Finding, check_invariants, expected_statuses
from devtools.chaos.snapshot import EngineExecution, Snapshot
from partners.models import Partner
from reviews.choices import TaskStatus
from reviews.models import ReviewDecision, ReviewTask
from tests import casework
from tests.devtools.chaos.office import (
    ACKNOWLEDGED,
    Office,
    open_office,
    pay,
    submitted,
    twice,
    without,
)
from workflows import executions, incidents
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback, SimulatedPayout

REFUSED, UNANSWERED = Reply(State.REFUSED, "403 No."), Reply(State.UNANSWERED, "500")
TOO_LATE = Reply(State.REFUSED, "409 wrong-state It is funded.")


@pytest.fixture
def office(
    partner: Partner, make_user: Callable[..., User], settings: Any, tmp_path: Any
) -> Office:
    settings.MEDIA_ROOT = tmp_path
    people = {
        "manager": make_user("manager", Role.MANAGER),
        "senior": make_user("senior", Role.SENIOR_MANAGER),
        "senior2": make_user("senior2", Role.SENIOR_MANAGER),
        "analyst": make_user("analyst", Role.RISK_ANALYST),
    }
    return open_office(partner, people)


def found(office: Office, snapshot: Snapshot | None = None) -> list[Finding]:
    return check_invariants(
        acknowledgements=office.acknowledgements, snapshot=snapshot or office.snapshot
    )


def only(office: Office, snapshot: Snapshot | None = None) -> tuple[Fault, str, str]:
    """The one finding: its fault, the name of its case, its sentence."""
    (finding,) = found(office, snapshot)
    names = {
        acknowledged.reference: name
        for name, acknowledged in office.acknowledgements.applications.items()
    }
    return finding.fault, names.get(finding.subject, finding.subject), finding.why


def all_of(office: Office, fault: Fault, snapshot: Snapshot | None = None) -> list[str]:
    return [finding.why for finding in found(office, snapshot) if finding.fault == fault]


def rows(office: Office, name: str) -> dict[str, Any]:
    return {"application__reference": office.acknowledged(name).reference}


def test_day_that_went_well_has_no_findings(office: Office) -> None:
    assert found(office) == []
    ends = {name: office.row(name).status for name in office.acknowledgements.applications}
    assert ends == {
        "alone": "funded",
        "approved": "funded",
        "declined": "declined",
        "two": "funded",
        "flagged": "funded",
        "withdrawn": "withdrawn",
    }


# --- Lost -------------------------------------------------------------------------------


def test_application_that_is_gone_is_lost(office: Office) -> None:
    reference = office.acknowledged("declined").reference
    snapshot = without(office.snapshot, "applications", lambda row: row.reference == reference)
    assert only(office, snapshot) == (
        Fault.LOST,
        "declined",
        "acknowledged, but there is no such application",
    )


def test_decision_that_is_gone_is_lost(office: Office) -> None:
    with casework.triggers_lifted():
        ReviewDecision.objects.filter(task__application=office.row("declined")).delete()
    assert only(office) == (
        Fault.LOST,
        "declined",
        "manager's decline (manager_approval) was acknowledged and is not there",
    )


def test_decision_kept_as_late_is_lost(office: Office) -> None:
    ReviewDecision.objects.filter(task__application=office.row("declined")).update(late=True)
    assert only(office)[2].endswith("was acknowledged and not applied")


@pytest.mark.parametrize("name", ["approved", "two"])
def test_settling_decision_without_effect_is_lost(office: Office, name: str) -> None:
    ReviewTask.objects.filter(**rows(office, name)).update(status=TaskStatus.CANCELLED, outcome="")
    fault, subject, why = only(office)
    assert (fault, subject) == (Fault.LOST, name)
    assert why.endswith("had no effect: the task is cancelled")


def test_first_of_two_approvals_needs_no_effect_yet(office: Office) -> None:
    acknowledged = office.acknowledged("two")
    first, second = acknowledged.planned.decisions
    acknowledged.decisions = {first: ACKNOWLEDGED}
    with casework.triggers_lifted():
        ReviewDecision.objects.filter(decided_by__username=second.person).delete()
    ReviewTask.objects.filter(**rows(office, "two")).update(status=TaskStatus.OPEN, outcome="")
    assert all_of(office, Fault.LOST) == []


# --- Doubled ----------------------------------------------------------------------------


def test_second_application_of_one_submission_is_doubled_and_not_stuck(office: Office) -> None:
    copy = submitted(office, office.acknowledged("approved"))
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
        kind="answer_callback", execution__application=office.row("approved")
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


# --- Stuck ------------------------------------------------------------------------------


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
    PendingCallback.objects.filter(execution__application=office.row("approved")).update(
        status=status
    )
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


# --- Wrong ------------------------------------------------------------------------------


def test_case_that_ended_otherwise_is_wrong(office: Office) -> None:
    LoanApplication.objects.filter(pk=office.row("declined").pk).update(status=Status.EXPIRED)
    assert only(office) == (Fault.WRONG, "declined", "it is expired and should be declined")


def test_withdrawal_that_was_acknowledged_binds(office: Office) -> None:
    LoanApplication.objects.filter(pk=office.row("withdrawn").pk).update(status=Status.DECLINED)
    assert only(office)[2] == "it is declined and should be withdrawn"


def test_funded_without_the_approvals_is_wrong(office: Office) -> None:
    acknowledged = office.acknowledged("two")
    first, second = acknowledged.planned.decisions
    with casework.triggers_lifted():
        ReviewDecision.objects.filter(decided_by__username=second.person).delete()
    acknowledged.decisions = {first: ACKNOWLEDGED}
    assert all_of(office, Fault.WRONG) == [
        "it is funded and should be still open",
        "funded with 1 of 2 approvals (manager_approval)",
    ]


def test_funded_with_approvals_of_people_who_may_not_give_them_is_wrong(office: Office) -> None:
    manager = office.people["manager"]
    with casework.triggers_lifted():
        ReviewDecision.objects.filter(decided_by__username="senior2").update(decided_by=manager)
    assert all_of(office, Fault.WRONG) == ["funded with 1 of 2 approvals (manager_approval)"]


def test_record_and_engine_that_disagree_are_wrong(office: Office) -> None:
    Execution.objects.filter(**rows(office, "alone")).update(status=Execution.Status.STOPPED)
    name = f"{office.acknowledged('alone').reference}-1"
    assert only(office) == (
        Fault.WRONG,
        "alone",
        f"{name} is STOPPED in the record and SUCCEEDED in the engine",
    )


def test_record_of_what_the_engine_never_had_is_wrong(office: Office) -> None:
    gone = office.engine.pop(0)
    assert only(office) == (
        Fault.WRONG,
        "alone",
        f"the record has {gone.name} as SUCCEEDED, the engine has none",
    )


def test_start_that_was_cancelled_before_it_left_is_no_finding(office: Office) -> None:
    reference = office.acknowledged("withdrawn").reference
    office.engine = [run for run in office.engine if not run.name.startswith(reference)]
    assert found(office) == []


def test_ledger_that_says_paid_without_the_rail_is_wrong(office: Office) -> None:
    SimulatedPayout.objects.filter(
        idempotency_key=f"payout-{office.acknowledged('alone').reference}"
    ).delete()
    assert only(office) == (
        Fault.WRONG,
        "alone",
        "the ledger says paid, the rail knows of nothing",
    )


def test_funded_without_a_ledger_that_says_so_is_wrong(office: Office) -> None:
    Disbursement.objects.filter(**rows(office, "alone")).update(
        status=Disbursement.Status.REQUESTED
    )
    assert only(office)[2] == "it is funded, but the ledger does not say paid"


def test_amounts_that_differ_are_wrong(office: Office) -> None:
    LoanApplication.objects.filter(pk=office.row("declined").pk).update(loan_amount=Decimal(1))
    LoanOffer.objects.filter(**rows(office, "alone")).update(
        principal=Decimal(2), annual_rate=Decimal(3), monthly_payment=Decimal(4)
    )
    with casework.triggers_lifted():
        Disbursement.objects.filter(**rows(office, "approved")).update(
            amount=Decimal(5), currency="USD"
        )
    SimulatedPayout.objects.filter(
        idempotency_key=f"payout-{office.acknowledged('two').reference}"
    ).update(amount=Decimal(6), currency="EUR")
    assert {finding.fault for finding in found(office)} == {Fault.WRONG}
    assert sorted(all_of(office, Fault.WRONG)) == [
        "the amount is 1.00 and should be 120000",
        "the instalment is 4.00 and should be 434.85",
        "the ledger's amount is 5.00 and should be 150000",
        "the ledger's currency is USD and should be CAD",
        "the offer's principal is 2.00 and should be 20000",
        "the offer's rate is 3.00 and should be 11.00",
        "the payout is 6.00 and should be 600000",
        "the payout's currency is EUR and should be CAD",
    ]


def test_refusal_of_what_was_allowed_is_wrong(office: Office) -> None:
    acknowledged = office.acknowledged("approved")
    acknowledged.decisions = dict.fromkeys(acknowledged.decisions, REFUSED)
    assert "manager's approval (manager_approval) was refused: 403 No." in all_of(
        office, Fault.WRONG
    )


def test_decision_that_a_withdrawal_forestalled_is_no_finding(office: Office) -> None:
    acknowledged = office.acknowledged("withdrawn")
    decision = office.acknowledged("approved").planned.decisions[0]
    acknowledged.decisions = {decision: REFUSED}
    assert found(office) == []


# --- What must become of a case ---------------------------------------------------------


def test_withdrawal_that_was_refused_changes_nothing(office: Office) -> None:
    acknowledged = office.acknowledged("approved")
    acknowledged.withdrawal = TOO_LATE
    assert expected_statuses(acknowledged) == {Status.FUNDED}
    assert found(office) == []


def test_withdrawal_that_was_refused_for_another_reason_is_wrong(office: Office) -> None:
    office.acknowledged("approved").withdrawal = REFUSED
    assert only(office) == (Fault.WRONG, "approved", "the withdrawal was refused: 403 No.")


def test_request_without_an_answer_leaves_both_ends_open(office: Office) -> None:
    acknowledged = office.acknowledged("approved")
    acknowledged.withdrawal = UNANSWERED
    assert expected_statuses(acknowledged) == {Status.FUNDED, Status.WITHDRAWN}


def test_case_that_nobody_decided_may_not_end(office: Office) -> None:
    acknowledged = office.acknowledged("approved")
    acknowledged.decisions = {}
    assert expected_statuses(acknowledged) == frozenset()
