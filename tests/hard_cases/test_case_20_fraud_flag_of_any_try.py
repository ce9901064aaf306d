"""Case 20: a fraud flag of any try, early or late, is reviewed before money leaves.

Answers of several tries and attempts come in any order: none of them funds a flagged application
without a review that cleared the flag. Once the payout was requested, a flag is an incident.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from applications.choices import Status
from applications.models import ApplicationEvent, Disbursement, LoanApplication
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.models import ReviewTask
from reviews.services import decisions
from tests import casework
from tests.casework import submit
from tests.functions.test_loan_approval import finish, open_task, state
from tests.functions.wire import Wire, wire
from tests.hard_cases.fraud_flags import (
    APPROVE,
    DECLINE,
    FLAGGED,
    PASSED,
    SMALL,
    receive,
    review_flag,
)
from tests.waiting import eventually
from workflows.callbacks import pending
from workflows.callbacks.pending import CallbackReceipt
from workflows.errors import NotApproved
from workflows.models import Incident, PendingCallback, SimulatedPayout
from workflows.operations import application_restart
from workflows.steps import offer, payout
from workflows.steps.checked import Missing


def request(application: LoanApplication) -> object:
    """Go on to the payout, as the last step of the workflow does."""
    return payout.disbursement_request(casework.run_of(application))


# --- Late flags, one by one ---------------------------------------------------------------------


@pytest.fixture
def tried_twice(officer: User) -> LoanApplication:
    """An application whose first try was not answered in time, and whose second one passed."""
    application = submit(officer, **SMALL)
    casework.assess(application)
    casework.ask_fraud_check(application)
    second = casework.ask_fraud_check(application, number=2)
    receive(second, PASSED)
    return application


def first_try(application: LoanApplication) -> PendingCallback:
    return PendingCallback.objects.get(
        execution__application=application, name="fraud_check-1", execution__attempt=1
    )


@pytest.mark.django_db
def test_flag_of_an_earlier_try_after_a_passed_stops_the_offer(
    tried_twice: LoanApplication, analyst: User
) -> None:
    assert receive(first_try(tried_twice), FLAGGED) == CallbackReceipt.LATE
    event = ApplicationEvent.objects.get(kind="flagged_late")
    assert event.is_internal
    assert event.message == (
        "fraud_check-1 flagged the application out of turn. Somebody has to review it before "
        "anything is paid."
    )
    attempt = casework.run_of(tried_twice)
    assert offer.offer_begin(attempt) == Missing({"fraud_review": 0})
    review_flag(tried_twice, analyst, APPROVE)
    assert offer.offer_begin(attempt, operation="generating_offer-2") is None
    answered = ApplicationEvent.objects.get(kind="fraud_answer")
    assert answered.message == "The fraud check's flag was cleared on review."
    assert not Incident.objects.exists()


@pytest.mark.django_db
def test_flag_after_the_offer_was_made_stops_the_payout(
    tried_twice: LoanApplication, analyst: User
) -> None:
    attempt = casework.run_of(tried_twice)
    assert offer.offer_begin(attempt) is None
    casework.make_offer(attempt)
    receive(first_try(tried_twice), FLAGGED)

    assert request(tried_twice) == Missing({"fraud_review": 0})
    assert not Disbursement.objects.exists()
    review_flag(tried_twice, analyst, APPROVE)
    tried_twice.refresh_from_db()
    assert tried_twice.status == Status.APPROVED  # the offer stands while somebody looks
    order = payout.disbursement_request(attempt, operation="disbursing-2")
    assert isinstance(order, payout.PayoutOrder)


@pytest.mark.django_db
def test_flag_beside_a_flag_that_was_cleared_is_reviewed_as_well(
    officer: User, analyst: User
) -> None:
    application = submit(officer, **SMALL)
    casework.assess(application)
    casework.ask_fraud_check(application)
    receive(casework.ask_fraud_check(application, number=2), FLAGGED)
    review_flag(application, analyst, APPROVE)
    attempt = casework.run_of(application)
    assert offer.offer_begin(attempt) is None
    casework.make_offer(attempt)

    receive(first_try(application), FLAGGED)

    assert request(application) == Missing({"fraud_review": 0})
    again = review_flag(application, analyst, DECLINE)
    assert again.number == 2
    with pytest.raises(NotApproved, match="a fraud review declined it"), transaction.atomic():
        payout.disbursement_request(attempt, operation="disbursing-2")
    assert not Disbursement.objects.exists()


@pytest.mark.django_db
def test_flag_while_its_review_is_open_is_looked_at_by_that_review(
    officer: User, analyst: User
) -> None:
    application = submit(officer, **SMALL)
    casework.assess(application)
    casework.ask_fraud_check(application)
    receive(casework.ask_fraud_check(application, number=2), FLAGGED)
    task = casework.ask(application, TaskKind.FRAUD_REVIEW)
    receive(first_try(application), FLAGGED)
    assert first_try(application).flag_review == task
    decisions.task_decide(task=task, user=analyst, outcome=APPROVE)
    assert offer.offer_begin(casework.run_of(application)) is None


@pytest.mark.django_db
def test_contradicting_flag_of_the_same_try_is_reviewed_as_well(
    officer: User, analyst: User
) -> None:
    application = submit(officer, **SMALL)
    casework.assess(application)
    casework.pass_fraud_check(application)
    assert receive(first_try(application), FLAGGED) == CallbackReceipt.CONTRADICTED
    assert Incident.objects.get().kind == "contradiction"
    assert offer.offer_begin(casework.run_of(application)) == Missing({"fraud_review": 0})


@pytest.mark.django_db
@pytest.mark.parametrize("ledger", ["requested", "unknown", "paid"])
def test_flag_after_the_payout_was_requested_is_an_incident(officer: User, ledger: str) -> None:
    application = casework.disbursing(officer)
    if ledger == "paid":
        payout.disbursement_settle(casework.run_of(application), rail_reference="RAIL-1")
    elif ledger == "unknown":
        payout.disbursement_hold(casework.run_of(application), status=Disbursement.Status.UNKNOWN)
    late = first_try(application)
    for _ in range(3):
        receive(late, FLAGGED)

    incident = Incident.objects.get(kind="flagged_after_payout")
    assert incident.application == application
    assert incident.sentence == (
        f"fraud_check-1 flagged {application.reference} after its payout had been requested, so "
        "nobody has reviewed this flag. Look at the application, and recover the money if the "
        "flag is right."
    )
    assert not ReviewTask.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_flag_while_the_rail_was_down_stops_the_payment_that_was_not_made(officer: User) -> None:
    """The ledger row was written and the rail not reached; a rerun does not pay a flagged one."""
    application = casework.disbursing(officer)
    receive(first_try(application), FLAGGED)
    with pytest.raises(NotApproved, match="since its payout was requested the record lacks a"):
        payout.disburse(casework.run_of(application))
    assert not SimulatedPayout.objects.exists()
    assert Disbursement.objects.get().status == "requested"


@pytest.mark.django_db
def test_flag_of_a_closed_application_is_on_its_timeline(officer: User) -> None:
    application = submit(officer, sin_last4="3333", loan_amount=Decimal(25_001))
    casework.assess(application)
    application.refresh_from_db()
    assert application.status == "declined"
    callback = PendingCallback.objects.create(
        execution=application.executions.get(),
        name="fraud_check-1",
        callback_id="F",
        status="expired",
        expires_at=application.created_at,
    )
    receive(callback, FLAGGED)
    assert "was closed before; nothing was paid" in str(
        ApplicationEvent.objects.get(kind="flagged_late")
    )
    assert not Incident.objects.exists()


# --- Through the workflow ------------------------------------------------------------------------


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[Wire]:
    with wire(monkeypatch) as serving:
        yield serving


def say(event: dict[str, Any], answer: dict[str, str]) -> CallbackReceipt:
    """Answer as the fraud function does, in a thread of its own."""
    try:
        return pending.callback_receive(callback_id=event["callback_id"], answer=answer)
    finally:
        connection.close()


def answer_second_try_only(aws: Wire) -> list[dict[str, Any]]:
    """Let the first try time out and the second pass; returns the events of the tries."""
    asked: list[dict[str, Any]] = []

    def answer(event: dict[str, Any], _: object) -> None:
        asked.append(event)
        if len(asked) == 1:
            aws.time_out(event["callback_id"])
        else:
            say(event, PASSED)

    aws.fraud_check = answer
    return asked


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("outcome", [APPROVE, DECLINE])
def test_flag_while_the_applicant_thinks_the_offer_over_is_reviewed_before_the_payout(
    aws: Wire, officer: User, analyst: User, outcome: Outcome
) -> None:
    casework.change_policies(offer_acceptance_required=True, fraud_check_attempts=3)
    asked = answer_second_try_only(aws)
    application = submit(officer, **SMALL)
    offered = open_task(application, TaskKind.OFFER_ACCEPTANCE)
    late = pending.callback_receive(callback_id=asked[0]["callback_id"], answer=FLAGGED)
    assert late == CallbackReceipt.LATE

    decisions.task_decide(task=offered, user=officer, outcome=APPROVE)

    task = open_task(application, TaskKind.FRAUD_REVIEW)
    assert state(application) == ("approved", "fraud_check")
    assert application.waiting_on == "risk_analyst"
    assert not Disbursement.objects.exists()
    decisions.task_decide(task=task, user=analyst, outcome=outcome, reason="As it stands.")
    finish(aws, application)
    assert application.status == ("funded" if outcome == APPROVE else "declined")
    assert SimulatedPayout.objects.count() == (1 if outcome == APPROVE else 0)


@pytest.mark.django_db(transaction=True)
def test_flag_of_an_attempt_before_a_restart_is_reviewed_in_the_new_attempt(
    aws: Wire, officer: User, analyst: User, operations: User
) -> None:
    casework.change_policies(fraud_check_attempts=1)
    asked: list[dict[str, Any]] = []

    def time_out(event: dict[str, Any], _: object) -> None:
        asked.append(event)
        aws.time_out(event["callback_id"])

    aws.fraud_check = time_out
    application = submit(officer, **SMALL)
    eventually(lambda: state(application)[0] == "needs_attention")
    aws.fraud_check = lambda event, _: say(event, PASSED)
    pending.callback_receive(callback_id=asked[0]["callback_id"], answer=FLAGGED)

    application_restart(reference=application.reference, user=operations)

    task = open_task(application, TaskKind.FRAUD_REVIEW)
    assert task.attempt == 2
    assert not Disbursement.objects.exists()
    decisions.task_decide(task=task, user=analyst, outcome=DECLINE, reason="Not the person.")
    application.refresh_from_db()
    finish(aws, application)
    assert application.status == "declined"
    assert not SimulatedPayout.objects.exists()
