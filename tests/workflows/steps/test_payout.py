"""The payout's ledger: what a run that comes again may still do, and what is never undone."""

import pytest
from django.contrib.auth.models import User

from applications.errors import ApplicationClosed
from applications.models import Disbursement, LoanApplication
from applications.services import intake
from tests.casework import disbursing, run_of
from workflows import handover
from workflows.steps import payout

pytestmark = pytest.mark.django_db
REFUSED = Disbursement.Status.REFUSED


@pytest.fixture
def refused(officer: User) -> LoanApplication:
    """The rail said no, and the run died before anything else was written."""
    application = disbursing(officer)
    payout.disbursement_hold(run_of(application), status=REFUSED)
    return application


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_refused_payout_is_not_asked_for_again_once_the_case_is_withdrawn(
    refused: LoanApplication, officer: User
) -> None:
    intake.application_withdraw(reference=refused.reference, user=officer)
    with pytest.raises(ApplicationClosed, match="withdrawn"):
        payout.disbursement_request(run_of(refused))
    assert Disbursement.objects.get().status == REFUSED


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_run_before_a_restart_does_not_ask_for_the_payout_of_the_one_after(
    refused: LoanApplication,
) -> None:
    run = run_of(refused)
    LoanApplication.objects.update(attempt=2)
    Disbursement.objects.update(status="requested")
    with pytest.raises(ApplicationClosed, match="a newer attempt"):
        payout.disbursement_request(run)


def test_run_that_comes_again_is_told_that_its_payout_was_refused(
    refused: LoanApplication,
) -> None:
    order = payout.disbursement_request(run_of(refused))
    assert isinstance(order, payout.PayoutOrder)
    assert order.status == REFUSED


@pytest.mark.parametrize("known", ["paid", "refused", "not_paid"])
def test_what_the_ledger_knows_for_certain_is_not_put_in_doubt(officer: User, known: str) -> None:
    application = disbursing(officer)
    Disbursement.objects.update(status=known, funded_at=application.created_at)
    for status in (Disbursement.Status.UNKNOWN, REFUSED):
        payout.disbursement_hold(run_of(application), status=status)
        assert Disbursement.objects.get().status == known
    handover.needs_attention(run_of(application), sentence="Stuck.")
    assert Disbursement.objects.get().status == known
