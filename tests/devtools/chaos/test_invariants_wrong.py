"""The invariant check finds every end, status and amount that is wrong."""

from dataclasses import replace
from decimal import Decimal

import pytest

from applications.choices import Status
from applications.models import Disbursement, LoanApplication, LoanOffer
from devtools.chaos.findings import Fault
from reviews.models import ReviewDecision
from tests import casework
from tests.devtools.chaos.findings import REFUSED, all_of, found, only, rows
from tests.devtools.chaos.office import (
    ACKNOWLEDGED,
    Office,
    without,
)
from workflows.models import Execution, SimulatedPayout


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
        "funded, and its manager_approval is not approved",
    ]


@pytest.mark.parametrize("status", ["open", "expired", "cancelled"])
def test_funded_past_a_task_that_nobody_decided_is_wrong(office: Office, status: str) -> None:
    """As an answer of the engine that is on nobody's record would leave it."""
    reference = office.acknowledged("alone").reference
    task = replace(office.snapshot.tasks[0], pk=999, reference=reference, status=status, outcome="")
    snapshot = replace(office.snapshot, tasks=(*office.snapshot.tasks, task))
    assert only(office, snapshot) == (
        Fault.WRONG,
        "alone",
        "funded, and its manager_approval is not approved",
    )


def test_funded_with_one_of_two_approvals_on_record_is_wrong(office: Office) -> None:
    """Found in the record alone, whatever was acknowledged or expected."""
    with casework.triggers_lifted():
        ReviewDecision.objects.filter(decided_by__username="senior2").delete()
    assert all_of(office, Fault.WRONG) == [
        "funded with 1 of 2 approvals (manager_approval)",
        "funded, and its manager_approval is not approved",
    ]


def test_funded_without_an_answer_of_the_fraud_check_is_wrong(office: Office) -> None:
    reference = office.acknowledged("alone").reference
    snapshot = without(office.snapshot, "callbacks", lambda row: row.reference == reference)
    assert only(office, snapshot) == (
        Fault.WRONG,
        "alone",
        "funded without an answer of the fraud check",
    )


@pytest.mark.parametrize("name", ["alone", "flagged"])
def test_funded_with_a_flag_that_nobody_cleared_is_wrong(office: Office, name: str) -> None:
    """A flag that came late, and one beside the flag that was cleared."""
    reference = office.acknowledged(name).reference
    late = replace(
        next(row for row in office.snapshot.callbacks if row.reference == reference),
        pk=999,
        name="fraud_check-2",
        status="expired",
        answer="",
        flagged=True,
        flag_review=None,
    )
    snapshot = replace(office.snapshot, callbacks=(*office.snapshot.callbacks, late))
    assert only(office, snapshot) == (
        Fault.WRONG,
        name,
        "funded, and nobody cleared the flag of fraud_check-2",
    )


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
