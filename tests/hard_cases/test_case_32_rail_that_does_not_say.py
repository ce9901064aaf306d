"""Hard case 32: the rail says 409, 408, garbage, or "failed" with 200.

Unknown until it says paid; nothing is withdrawn, restarted or paid again before it was asked.
"""

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User

from accounts import proposals
from accounts.errors import OwnProposal
from accounts.models import Proposal
from applications.errors import PayoutInDoubt, TransitionRefused
from applications.models import ApplicationEvent, Disbursement, LoanApplication
from applications.services import intake
from partners.models import Partner
from tests import casework
from tests.hard_cases.rail import Rail, http_rail
from tests.hard_cases.stored import everything_stored
from tests.partners.api.calls import Caller, assert_problem, path
from tests.workflows import settling, trouble
from workflows import new_orders
from workflows import operations as ops
from workflows.errors import (
    NothingRefused,
    OrderFailed,
    PayoutFound,
    PayoutRefused,
    PayoutUnknown,
    RailUnreachable,
)
from workflows.executions import Closed
from workflows.models import Incident
from workflows.steps import offer, payout

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rail(settings: Any, transactional_db: None) -> Iterator[Rail]:
    with http_rail() as serving:
        provider = {"url": serving.url, "token": "t"}
        settings.LOANOFFICE_PROVIDERS = {**settings.LOANOFFICE_PROVIDERS, "payout": provider}
        yield serving


@pytest.fixture
def refused(officer: User) -> LoanApplication:
    """The rail said no, and Operations has the application."""
    application = trouble.payout_refused(officer).application
    application.refresh_from_db()
    return application


def key_of(application: LoanApplication) -> str:
    return f"payout-{application.reference}"


def book(rail: Rail, key: str, state: str) -> None:
    rail.books[key] = {"amount": "25000.00", "currency": "CAD", "reference": ""}
    rail.states[key] = state


# --- What is no refusal -------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503])
def test_answer_that_is_no_refusal_is_held_and_not_withdrawn(
    officer: User, rail: Rail, status: int
) -> None:
    """409 "in progress" was counted as refused, the withdrawal allowed, and then the rail paid."""
    application = casework.offered(officer)
    rail.pays = lambda _: (HTTPStatus(status), {}, {"status": "in_progress"})
    with pytest.raises(PayoutUnknown):
        payout.disburse(casework.run_of(application))
    assert Disbursement.objects.get().status == "unknown"
    assert rail.lookups == [key_of(application)] * 2  # before it was asked, and after

    with pytest.raises(TransitionRefused):
        intake.application_withdraw(reference=application.reference, user=officer)

    book(rail, key_of(application), "settled")
    assert payout.disburse(casework.run_of(application)) == Closed("funded")
    assert rail.payments == [key_of(application)]


@pytest.mark.parametrize("state", ["failed", "pending", "anything"])
def test_payment_that_is_not_settled_funds_nothing(officer: User, rail: Rail, state: str) -> None:
    """``{"status": "failed"}`` funded the application."""
    application = casework.disbursing(officer)
    book(rail, key_of(application), state)
    with pytest.raises(PayoutUnknown):
        payout.disburse(casework.run_of(application))
    application.refresh_from_db()
    assert (application.status, Disbursement.objects.get().status) == ("approved", "unknown")
    assert rail.payments == []


def test_refusal_that_the_rail_keeps_is_a_refusal_when_the_step_runs_again(
    officer: User, rail: Rail
) -> None:
    application = casework.offered(officer)
    rail.pays = rail.refused
    with pytest.raises(PayoutRefused, match="No account"):
        payout.disburse(casework.run_of(application))
    book(rail, key_of(application), "refused")
    with pytest.raises(PayoutRefused):
        payout.disburse(casework.run_of(application))
    assert Disbursement.objects.get().status == "refused"
    assert len(rail.payments) == 1


# --- Withdrawal ---------------------------------------------------------------------------


def unreachable(rail: Rail, key: str) -> None:
    rail.knows = False


def settled(rail: Rail, key: str) -> None:
    book(rail, key, "settled")


def under_way(rail: Rail, key: str) -> None:
    book(rail, key, "pending")


DOUBTS = {
    unreachable: "the payout rail cannot be asked now",
    settled: "the rail says that it was paid",
    under_way: "the rail has it under way",
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_withdrawal_after_a_refusal_asks_the_rail_and_changes_nothing_in_doubt(
    partner: Partner, partner_key: str, rail: Rail, doubt: Callable[[Rail, str], None]
) -> None:
    application = casework.disbursing(None, partner=partner)
    payout.disbursement_hold(casework.run_of(application), status=Disbursement.Status.REFUSED)
    trouble.handed_over(application, kind=Incident.Kind.PAYOUT_REFUSED, sentence="No.")
    doubt(rail, key_of(application))
    before = everything_stored()
    withdraw = path(application.reference, "withdraw/")

    problem = assert_problem(
        Caller(partner_key).post(withdraw, None, **{"Idempotency-Key": "w-1"}),
        409,
        "payout-in-doubt",
    )

    assert problem["detail"] == (
        f"An order to pay {application.reference} was sent, and {DOUBTS[doubt]}. "
        "Nothing was changed."
    )
    now = everything_stored()
    for rows in (before, now):
        del rows["partners.RateCounter"]  # each call is counted
    assert now == before

    rail.knows = True
    rail.books.clear()
    again = Caller(partner_key).post(withdraw, None, **{"Idempotency-Key": "w-1"})
    assert (again.status_code, again.json()["status"]) == (200, "withdrawn")
    asked = len(rail.lookups)
    rail.knows = False
    replayed = Caller(partner_key).post(withdraw, None, **{"Idempotency-Key": "w-1"})
    assert replayed.json() == again.json()
    assert len(rail.lookups) == asked, "what is withdrawn needs no answer"


@pytest.mark.parametrize("state", ["failed", "refused", ""])
def test_withdrawal_is_allowed_once_the_rail_says_that_nothing_is_paid(
    refused: LoanApplication, officer: User, rail: Rail, state: str
) -> None:
    if state:
        book(rail, key_of(refused), state)
    withdrawn = intake.application_withdraw(reference=refused.reference, user=officer)
    assert withdrawn.status == "withdrawn"
    assert rail.lookups == [key_of(refused)]


# --- Restart ------------------------------------------------------------------------------


def test_restart_after_a_refusal_asks_the_rail_and_funds_what_it_paid(
    refused: LoanApplication, operations: User, rail: Rail
) -> None:
    book(rail, key_of(refused), "settled")
    restarted = ops.application_restart(reference=refused.reference, user=operations)
    assert (restarted.status, restarted.attempt) == ("funded", 1)
    assert Disbursement.objects.get().rail_reference == f"RAIL-{key_of(refused)}"


@pytest.mark.parametrize(
    ("doubt", "error"), [(unreachable, RailUnreachable), (under_way, PayoutInDoubt)]
)
def test_restart_in_doubt_changes_nothing(
    refused: LoanApplication,
    operations: User,
    rail: Rail,
    doubt: Callable[[Rail, str], None],
    error: type[Exception],
) -> None:
    doubt(rail, key_of(refused))
    before = everything_stored()
    with pytest.raises(error):
        ops.application_restart(reference=refused.reference, user=operations)
    assert everything_stored() == before


def test_restart_of_an_order_that_failed_points_to_a_new_one(
    officer: User, operations: User, rail: Rail
) -> None:
    """The engine was lost while the rail was asked, so that nobody had heard of the failure."""
    application = casework.disbursing(officer)
    trouble.handed_over(application, kind=Incident.Kind.WORKFLOW_FAILED, sentence="Lost.")
    book(rail, key_of(application), "failed")
    with pytest.raises(OrderFailed, match="Propose a new order"):
        ops.application_restart(reference=application.reference, user=operations)
    application.refresh_from_db()
    assert (application.status, application.attempt) == ("needs_attention", 1)
    assert Disbursement.objects.get().status == "refused"


# --- A new order --------------------------------------------------------------------------


def propose(application: LoanApplication, user: User) -> Proposal:
    return new_orders.new_order_propose(
        reference=application.reference, user=user, note="The account is open again."
    )


def test_new_order_takes_two_people_and_pays_under_a_key_derived_from_the_old_one(
    refused: LoanApplication, operations: User, rail: Rail
) -> None:
    old, new = key_of(refused), f"{key_of(refused)}-2"
    book(rail, old, "refused")  # it repeats its first answer
    proposal = propose(refused, operations)
    assert ["Key at the rail", old, new] in proposal.rows
    with pytest.raises(OwnProposal):
        proposals.proposal_confirm(proposal=proposal, user=operations)
    assert Disbursement.objects.get().order_keys == (old,)

    proposals.proposal_confirm(proposal=proposal, user=settling.colleague())

    refused.refresh_from_db()
    assert (refused.status, refused.attempt) == ("submitted", 2)
    assert Disbursement.objects.get().order_keys == (old, new)
    assert not Incident.objects.exclude(status="resolved").exists()
    line = ApplicationEvent.objects.get(kind="payout_ordered_anew")
    assert line.data == {
        "refused": old,
        "key": new,
        "note": "The account is open again.",
        "proposed_by": "operations",
        "confirmed_by": "operations2",
    }
    casework.assess(refused)
    casework.pass_fraud_check(refused)
    run = casework.run_of(refused)
    offer.offer_begin(run)
    casework.make_offer(run)
    assert payout.disburse(run) == Closed("funded")
    assert rail.payments == [new]
    assert Disbursement.objects.get().rail_reference == f"RAIL-{new}"


def test_payment_under_the_old_key_is_found_before_the_new_one_is_paid(
    refused: LoanApplication, operations: User, rail: Rail
) -> None:
    """The rail said no, and paid all the same: the next run does not pay again."""
    proposals.proposal_confirm(proposal=propose(refused, operations), user=settling.colleague())
    refused.refresh_from_db()
    casework.assess(refused)
    casework.pass_fraud_check(refused)
    run = casework.run_of(refused)
    offer.offer_begin(run)
    casework.make_offer(run)
    book(rail, key_of(refused), "settled")
    assert payout.disburse(run) == Closed("funded")
    assert rail.payments == []


@pytest.mark.parametrize(
    ("doubt", "error"),
    [(unreachable, RailUnreachable), (under_way, PayoutInDoubt), (settled, PayoutFound)],
)
def test_nothing_is_ordered_anew_that_may_have_been_paid(
    refused: LoanApplication,
    operations: User,
    rail: Rail,
    doubt: Callable[[Rail, str], None],
    error: type[Exception],
) -> None:
    proposal = propose(refused, operations)
    doubt(rail, key_of(refused))
    for act in (
        lambda: propose(refused, operations),
        lambda: proposals.proposal_confirm(proposal=proposal, user=settling.colleague()),
    ):
        with pytest.raises(error):
            act()
    assert Disbursement.objects.get().orders == 1
    refused.refresh_from_db()
    assert refused.status == "needs_attention"


@pytest.mark.parametrize("status", ["requested", "unknown", "paid", "not_paid"])
def test_only_a_refused_payout_is_ordered_anew(
    refused: LoanApplication, operations: User, rail: Rail, status: str
) -> None:
    Disbursement.objects.update(status=status, funded_at=refused.created_at)
    with pytest.raises(NothingRefused):
        propose(refused, operations)
    assert rail.lookups == []
