"""Services of Operations for payouts: settled by a person, or found at the rail."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from applications.errors import PayoutSettled, TransitionRefused
from applications.models import Disbursement, LoanApplication
from applications.services import intake
from tests.casework import assess, disbursing, pass_fraud_check, run_of
from tests.workflows.conftest import audit
from tests.workflows.settling import settle
from workflows import handover
from workflows import operations as ops
from workflows.errors import PayoutFound, PayoutUnsettled, RailUnreachable, ReferenceMissing
from workflows.models import Execution, Incident, OutboxMessage, SimulatedPayout
from workflows.steps import payout

pytestmark = pytest.mark.django_db


@pytest.fixture
def unknown(officer: User) -> LoanApplication:
    """Nobody knows whether it was paid; the rail's books are empty."""
    application = disbursing(officer)
    payout.disbursement_hold(run_of(application), status=Disbursement.Status.UNKNOWN)
    with transaction.atomic():
        handover.application_hand_over(
            run_of(application), kind=Incident.Kind.PAYOUT_UNKNOWN, sentence="The answer was lost."
        )
    application.refresh_from_db()
    return application


@pytest.fixture
def asked_for(officer: User) -> LoanApplication:
    """The rail was asked to pay, or was about to be, and nobody could write down the rest."""
    application = disbursing(officer)
    with transaction.atomic():
        handover.application_hand_over(
            run_of(application), kind=Incident.Kind.WORKFLOW_FAILED, sentence="The books failed."
        )
    application.refresh_from_db()
    return application


def book(application: LoanApplication, reference: str = "PAY-1") -> None:
    SimulatedPayout.objects.create(
        idempotency_key=f"payout-{application.reference}",
        reference=reference,
        amount=application.loan_amount,
        currency=application.currency,
    )


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_payout_that_was_made_funds_the_case_once(
    unknown: LoanApplication, operations: User
) -> None:
    book(unknown, "PAY-7")
    settle(reference=unknown.reference, user=operations, paid=True, note="Bank says so.")
    unknown.refresh_from_db()
    ledger = Disbursement.objects.get()
    assert (unknown.status, ledger.status, ledger.rail_reference) == ("funded", "paid", "PAY-7")
    assert unknown.closed_at is not None
    assert Incident.objects.get().status == "resolved"
    assert audit("payout_settled").data == {
        "paid": True,
        "rail_reference": "PAY-7",
        "note": "Bank says so.",
        "proposed_by": "operations",
        "confirmed_by": "operations2",
    }
    assert OutboxMessage.objects.filter(key=f"closed/{unknown.reference}-1").count() == 1
    with pytest.raises(PayoutSettled):
        settle(reference=unknown.reference, user=operations, paid=True)


def test_payout_that_the_rail_does_not_know_needs_its_reference(
    unknown: LoanApplication, operations: User
) -> None:
    with pytest.raises(ReferenceMissing):
        settle(reference=unknown.reference, user=operations, paid=True)
    settle(reference=unknown.reference, user=operations, paid=True, rail_reference=" STATEMENT-9 ")
    assert Disbursement.objects.get().rail_reference == "STATEMENT-9"


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_payout_that_the_rail_knows_is_not_called_unpaid(
    unknown: LoanApplication, operations: User
) -> None:
    book(unknown, "PAY-7")
    with pytest.raises(PayoutFound, match="PAY-7"):
        settle(reference=unknown.reference, user=operations, paid=False)
    assert Disbursement.objects.get().status == "unknown"


def test_payout_that_was_not_made_waits_for_a_restart_that_pays_it(
    unknown: LoanApplication, operations: User
) -> None:
    with pytest.raises(PayoutUnsettled):
        ops.application_restart(reference=unknown.reference, user=operations)
    settle(reference=unknown.reference, user=operations, paid=False)
    unknown.refresh_from_db()
    assert (unknown.status, Disbursement.objects.get().status) == ("needs_attention", "not_paid")
    incident = Incident.objects.get()
    assert incident.status == "open"  # the case is still stuck, and says so
    assert "was not made" in incident.sentence
    ops.application_restart(reference=unknown.reference, user=operations)
    unknown.refresh_from_db()
    assert (unknown.status, unknown.attempt) == ("submitted", 2)
    assert Incident.objects.get().status == "resolved"


def test_payout_that_was_not_made_can_be_withdrawn_and_an_unknown_one_cannot(
    unknown: LoanApplication, operations: User, officer: User
) -> None:
    with pytest.raises(TransitionRefused):
        intake.application_withdraw(reference=unknown.reference, user=officer)
    settle(reference=unknown.reference, user=operations, paid=False)
    intake.application_withdraw(reference=unknown.reference, user=officer)
    unknown.refresh_from_db()
    assert unknown.status == "withdrawn"


def test_rail_that_cannot_be_asked_leaves_it_unknown(
    unknown: LoanApplication, operations: User, settings: Any
) -> None:
    settings.LOANOFFICE_PROVIDERS = {
        **settings.LOANOFFICE_PROVIDERS,
        "payout": {"url": "http://127.0.0.1:9", "token": "t"},
    }
    with pytest.raises(RailUnreachable):
        settle(reference=unknown.reference, user=operations, paid=False)
    assert Disbursement.objects.get().status == "unknown"


def test_restart_asks_the_rail_under_the_same_key_again(
    unknown: LoanApplication, operations: User
) -> None:
    settle(reference=unknown.reference, user=operations, paid=False)
    ops.application_restart(reference=unknown.reference, user=operations)
    unknown.refresh_from_db()
    assess(unknown)
    pass_fraud_check(unknown)
    LoanApplication.objects.update(status="approved")  # where its second run arrives in time
    order = payout.disbursement_request(run_of(unknown))
    assert isinstance(order, payout.PayoutOrder)
    assert order.status == "requested"
    assert order.keys == (f"payout-{unknown.reference}",)
    assert Disbursement.objects.count() == 1


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_restart_funds_a_case_that_was_paid_and_not_written_down(
    asked_for: LoanApplication, operations: User
) -> None:
    """Another attempt might end declined, with the money gone."""
    book(asked_for, "PAY-7")
    funded = ops.application_restart(reference=asked_for.reference, user=operations)
    assert (funded.status, funded.attempt) == ("funded", 1)
    ledger = Disbursement.objects.get()
    assert (ledger.status, ledger.rail_reference) == ("paid", "PAY-7")
    assert Incident.objects.get().resolved_by == operations
    assert audit("payout_found").actor == operations
    assert OutboxMessage.objects.filter(key=f"closed/{asked_for.reference}-1").count() == 1
    assert Execution.objects.count() == 1


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_restart_after_a_payout_that_the_rail_never_made_may_still_be_withdrawn(
    asked_for: LoanApplication, operations: User, officer: User
) -> None:
    restarted = ops.application_restart(reference=asked_for.reference, user=operations)
    assert (restarted.status, restarted.attempt) == ("submitted", 2)
    assert Disbursement.objects.get().status == "not_paid"
    intake.application_withdraw(reference=asked_for.reference, user=officer)


def test_restart_waits_for_a_rail_that_cannot_be_asked_what_became_of_a_payout(
    asked_for: LoanApplication, operations: User, settings: Any
) -> None:
    settings.LOANOFFICE_PROVIDERS = {
        **settings.LOANOFFICE_PROVIDERS,
        "payout": {"url": "http://127.0.0.1:9", "token": ""},
    }
    with pytest.raises(RailUnreachable):
        ops.application_restart(reference=asked_for.reference, user=operations)
    asked_for.refresh_from_db()
    assert (asked_for.status, asked_for.attempt) == ("needs_attention", 1)
    assert Disbursement.objects.get().status == "requested"
