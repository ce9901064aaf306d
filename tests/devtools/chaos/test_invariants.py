"""The invariant check finds what is lost, and nothing where there is no damage."""

import pytest

from applications.choices import Status
from devtools.chaos.findings import Fault
from devtools.chaos.invariants import expected_statuses
from reviews.choices import TaskStatus
from reviews.models import ReviewDecision, ReviewTask
from tests import casework
from tests.devtools.chaos.findings import REFUSED, TOO_LATE, UNANSWERED, all_of, found, only, rows
from tests.devtools.chaos.office import (
    ACKNOWLEDGED,
    Office,
    without,
)


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


# --- Lost ----------------------------------------------------------------------------------


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
    (why,) = all_of(office, Fault.LOST)
    assert why.endswith("had no effect: the task is cancelled")
    assert all_of(office, Fault.WRONG) == ["funded, and its manager_approval is not approved"]


def test_first_of_two_approvals_needs_no_effect_yet(office: Office) -> None:
    acknowledged = office.acknowledged("two")
    first, second = acknowledged.planned.decisions
    acknowledged.decisions = {first: ACKNOWLEDGED}
    with casework.triggers_lifted():
        ReviewDecision.objects.filter(decided_by__username=second.person).delete()
    ReviewTask.objects.filter(**rows(office, "two")).update(status=TaskStatus.OPEN, outcome="")
    assert all_of(office, Fault.LOST) == []


# --- What must become of a case ------------------------------------------------------------


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
