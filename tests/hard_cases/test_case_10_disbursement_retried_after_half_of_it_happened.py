"""Hard case 10: disbursement retried after half of it happened.

Ledger first, idempotency key at the rail, ask the rail before retrying, unknown means hold
and incident. Never two payouts. The rail is an HTTP server of the test; in the first half the
engine is a real process that dies by ``kill -9`` while it is asked.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from applications.errors import ApplicationClosed, TransitionRefused
from applications.models import Disbursement, LoanApplication
from applications.services import intake
from tests.casework import offered, run_of, submit
from tests.functions.engine_process import EngineProcess
from tests.functions.office import Office
from tests.functions.wire import Wire, wire
from tests.hard_cases.rail import Rail, http_rail
from tests.sizes import some
from tests.waiting import eventually
from tests.workflows import settling
from workflows import engine
from workflows import operations as ops
from workflows.errors import (
    PayoutFound,
    PayoutRefused,
    PayoutUnknown,
    PayoutUnsettled,
    RailUnreachable,
    ReferenceMissing,
)
from workflows.executions import Closed
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback
from workflows.steps import payout

pytestmark = pytest.mark.django_db(transaction=True)

SMALL = {"sin_last4": "3333", "loan_amount": "25000.00"}


@pytest.fixture
def rail(settings: Any, transactional_db: None) -> Iterator[Rail]:
    """A rail that this process speaks to."""
    with http_rail() as serving:
        payout = {"url": serving.url, "token": "t"}
        settings.LOANOFFICE_PROVIDERS = {**settings.LOANOFFICE_PROVIDERS, "payout": payout}
        yield serving


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[Wire]:
    with wire(monkeypatch) as serving:
        yield serving


def assert_paid_once(rail: Rail, reference: str) -> None:
    """One booking of the right amount, one ledger row, one line that says so."""
    key = f"payout-{reference}"
    assert rail.books == {
        key: {"amount": "25000.00", "currency": "CAD", "reference": reference},
    }
    application = LoanApplication.objects.get(reference=reference)
    assert (application.status, application.current_step) == ("funded", "complete")
    ledger = Disbursement.objects.get()
    assert (ledger.status, ledger.rail_reference) == ("paid", f"RAIL-{key}")
    assert application.events.filter(kind="funded").count() == 1
    letters = OutboxMessage.objects.filter(key__startswith=f"closed/{reference}-")
    assert letters.count() == 1
    assert not Incident.objects.exclude(status="resolved").exists()


# --- Killed while the rail is asked ---------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("blocks_at", some(["asked", "paying", "paid"], of=2))
def test_engine_killed_while_it_pays_pays_once_after_the_restart(
    running: Callable[..., EngineProcess], office: Office, rail: Rail, blocks_at: str
) -> None:
    """Killed before it asked to pay, before the rail booked, and before it heard of that.

    What it had asked for is done by the rail when the restart is over: the same key again.
    """
    rail.blocks_at = blocks_at
    process = running(PAYOUT_RAIL_URL=rail.url, PAYOUT_RAIL_TOKEN="t")
    reference = office.submit("charlie")
    assert rail.reached.wait(60)
    assert Disbursement.objects.get().status == "requested"
    assert office.read(reference)["status"] == "approved"
    assert bool(rail.books) is (blocks_at == "paid")
    process.kill()
    rail.blocks_at = ""

    process.start()

    office.until(reference, status="funded")
    rail.go_on.set()
    assert rail.went_on.wait(60)
    assert_paid_once(rail, reference)
    assert len(rail.payments) == (2 if blocks_at == "paying" else 1)
    assert len(rail.lookups) == 2
    execution = Execution.objects.get()
    eventually(lambda: engine.get(arn=str(execution.arn))["Status"] == "SUCCEEDED")
    assert not PendingCallback.objects.exclude(status="delivered").exists()


def test_engine_killed_after_a_refusal_asks_nobody_to_pay_a_case_that_was_withdrawn(
    officer: User, rail: Rail
) -> None:
    """The refusal is written and its checkpoint is not: the step runs again, later."""
    rail.pays = rail.refused
    application = offered(officer)
    with pytest.raises(PayoutRefused):
        payout.disburse(run_of(application))
    assert Disbursement.objects.get().status == "refused"
    intake.application_withdraw(reference=application.reference, user=officer)
    rail.pays = rail.booked

    with pytest.raises(ApplicationClosed):
        payout.disburse(run_of(application))

    assert (len(rail.payments), rail.books) == (1, {})


def test_step_that_runs_again_after_a_refusal_is_refused_without_asking(
    officer: User, rail: Rail
) -> None:
    rail.pays = rail.refused
    application = offered(officer)
    for _ in range(2):
        with pytest.raises(PayoutRefused):
            payout.disburse(run_of(application))
        rail.pays = rail.booked
    assert (len(rail.payments), rail.books) == (1, {})


# --- Nobody knows ---------------------------------------------------------------------------


def held(aws: Wire, rail: Rail, officer: User, *, answer: str) -> LoanApplication:
    """A case whose payout is of unknown outcome, held for a person."""
    rail.pays = getattr(rail, answer)
    application = submit(officer, **SMALL)
    name = f"{application.reference}-1"
    eventually(lambda: name in aws.arns)
    assert aws.result(name).status.value == "FAILED"
    application.refresh_from_db()
    assert application.status == "needs_attention"
    assert Disbursement.objects.get().status == "unknown"
    incident = Incident.objects.get()
    assert (incident.kind, incident.status) == ("payout_unknown", "open")
    assert len(rail.payments) == 1, "an unknown outcome is never tried again"
    return application


def settle(application: LoanApplication, user: User, *, paid: bool, **also: str) -> None:
    settling.settle(reference=application.reference, user=user, paid=paid, **also)


@pytest.mark.parametrize("answer", ["failed", "silent"])
def test_payout_of_unknown_outcome_is_held_and_can_neither_go_on_nor_back(
    aws: Wire, rail: Rail, officer: User, operations: User, answer: str
) -> None:
    application = held(aws, rail, officer, answer=answer)
    with pytest.raises(PayoutUnsettled):
        ops.application_restart(reference=application.reference, user=operations)
    with pytest.raises(TransitionRefused):
        intake.application_withdraw(reference=application.reference, user=officer)
    assert rail.books == {}


@pytest.mark.parametrize("answer", ["failed", "silent"])
def test_payout_that_was_not_made_is_made_once_by_a_restart(
    aws: Wire, rail: Rail, officer: User, operations: User, answer: str
) -> None:
    application = held(aws, rail, officer, answer=answer)
    settle(application, operations, paid=False)
    assert Disbursement.objects.get().status == "not_paid"
    application.refresh_from_db()
    assert application.status == "needs_attention"
    assert (
        "was not made, as operations found and operations2 confirmed"
        in Incident.objects.get().sentence
    )
    rail.pays = rail.booked

    ops.application_restart(reference=application.reference, user=operations)

    eventually(lambda: f"{application.reference}-2" in aws.arns)
    assert aws.result(f"{application.reference}-2").status.value == "SUCCEEDED"
    assert_paid_once(rail, application.reference)
    assert len(rail.payments) == 2


def test_payout_that_was_not_made_can_be_withdrawn(
    aws: Wire, rail: Rail, officer: User, operations: User
) -> None:
    application = held(aws, rail, officer, answer="failed")
    settle(application, operations, paid=False)
    withdrawn = intake.application_withdraw(reference=application.reference, user=officer)
    assert withdrawn.status == "withdrawn"
    assert rail.books == {}


def test_payout_whose_answer_was_lost_is_found_by_asking_again(
    aws: Wire, rail: Rail, officer: User
) -> None:
    rail.pays = rail.lost
    application = submit(officer, **SMALL)
    eventually(lambda: f"{application.reference}-1" in aws.arns)
    assert aws.result(f"{application.reference}-1").status.value == "SUCCEEDED"
    assert_paid_once(rail, application.reference)
    assert len(rail.payments) == 1
    assert not Incident.objects.exists()


def test_payout_that_the_rail_made_is_not_called_unpaid_and_funds_the_case(
    aws: Wire, rail: Rail, officer: User, operations: User
) -> None:
    """The answer was lost, and the rail could not be asked at the time."""
    application = held(aws, rail, officer, answer="gone")
    with pytest.raises(RailUnreachable):
        settle(application, operations, paid=False)
    assert Disbursement.objects.get().status == "unknown"
    rail.knows = True
    with pytest.raises(PayoutFound, match=f"RAIL-payout-{application.reference}"):
        settle(application, operations, paid=False)
    assert Disbursement.objects.get().status == "unknown"

    settle(application, operations, paid=True)

    assert_paid_once(rail, application.reference)
    assert len(rail.payments) == 1


def test_payout_that_only_the_statement_shows_funds_the_case_under_its_reference(
    aws: Wire, rail: Rail, officer: User, operations: User
) -> None:
    application = held(aws, rail, officer, answer="failed")
    with pytest.raises(ReferenceMissing):
        settle(application, operations, paid=True)
    settle(application, operations, paid=True, rail_reference="STATEMENT-9")
    application.refresh_from_db()
    ledger = Disbursement.objects.get()
    assert (application.status, ledger.status, ledger.rail_reference) == (
        "funded",
        "paid",
        "STATEMENT-9",
    )
    assert Incident.objects.get().status == "resolved"
    with pytest.raises(TransitionRefused):
        ops.application_restart(reference=application.reference, user=operations)


def test_step_that_runs_again_on_an_unknown_outcome_asks_what_the_rail_knows_and_never_pays(
    officer: User, rail: Rail
) -> None:
    application = offered(officer)
    payout.disbursement_request(run_of(application))
    payout.disbursement_hold(run_of(application), status=Disbursement.Status.UNKNOWN)
    with pytest.raises(PayoutUnknown):
        payout.disburse(run_of(application))
    assert (rail.payments, bool(rail.lookups)) == ([], True)
    rail.books[f"payout-{application.reference}"] = {
        "amount": "25000.00",
        "currency": "CAD",
        "reference": application.reference,
    }
    assert payout.disburse(run_of(application)) == Closed("funded")
    assert_paid_once(rail, application.reference)
    assert rail.payments == []
