"""Hard case 5: restart after failure.

Each attempt is an execution of its own, ``<reference>-<attempt>``; the one before may write
nothing any more. The payout key belongs to the application, so a restart cannot pay twice.
The engine is a real process; the fraud service and the payout rail are HTTP servers.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User

from applications.errors import ApplicationClosed
from applications.models import CreditReport, Disbursement, LoanApplication
from applications.services.attempts import Attempt
from reviews.models import ReviewTask
from tests import casework
from tests.functions.engine_process import EngineProcess
from tests.functions.office import Office, deliver_what_waits
from tests.hard_cases.loopback import Loopback, Reply
from tests.hard_cases.rail import Rail, http_rail
from tests.hard_cases.step_bodies import bodies
from tests.hard_cases.stored import everything_stored
from tests.waiting import eventually
from workflows import engine
from workflows.callbacks import pending
from workflows.errors import NotFound
from workflows.models import (
    Execution,
    Incident,
    OutboxMessage,
    PendingCallback,
    SimulatedPayout,
)
from workflows.operations import application_restart, application_stop
from workflows.reconcile.compare import reconcile

pytestmark = pytest.mark.django_db(transaction=True)

NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}")


class FraudService:
    """Out of order until it is mended."""

    def __init__(self) -> None:
        self.url = ""
        self.mended = False

    def answer(self, *_: object) -> Reply:
        if self.mended:
            return HTTPStatus.OK, {}, {"result": "passed"}
        return HTTPStatus.SERVICE_UNAVAILABLE, {}, {}


@pytest.fixture
def fraud_service() -> Iterator[FraudService]:
    service = FraudService()
    with Loopback(service.answer) as server:
        service.url = server.url
        yield service


@pytest.fixture
def rail(settings: Any, transactional_db: None) -> Iterator[Rail]:
    """A rail that this process and the engine speak to."""
    with http_rail() as serving:
        payout = {"url": serving.url, "token": "t"}
        settings.LOANOFFICE_PROVIDERS = {**settings.LOANOFFICE_PROVIDERS, "payout": payout}
        yield serving


def fraud_check(**fields: Any) -> None:
    casework.change_policies(**{f"fraud_check_{name}": value for name, value in fields.items()})


def rows_of_attempt(attempt: int) -> list[list[dict[str, Any]]]:
    """Return the rows that one attempt wrote."""
    return [
        list(CreditReport.objects.filter(attempt=attempt).order_by("pk").values()),
        list(ReviewTask.objects.filter(attempt=attempt).order_by("pk").values()),
        list(Execution.objects.filter(attempt=attempt).values()),
        list(PendingCallback.objects.filter(execution__attempt=attempt).order_by("pk").values()),
    ]


def status_in_engine(attempt: int) -> str:
    return str(engine.get(arn=str(Execution.objects.get(attempt=attempt).arn))["Status"])


def assert_nothing_left_to_write(run: Attempt) -> None:
    """Every step of this run, again: it is turned away, or finds that it was here."""
    before = everything_stored()
    for body in bodies(run).values():
        with suppress(ApplicationClosed):
            body()
    assert everything_stored() == before


def test_fraud_check_that_never_answers_fails_the_attempt_and_the_next_one_funds_the_case(
    running: Callable[..., EngineProcess],
    office: Office,
    fraud_service: FraudService,
    manager: User,
    operations: User,
) -> None:
    fraud_check(timeout=timedelta(seconds=1), attempts=2)
    running(FRAUD_SERVICE_URL=fraud_service.url)
    reference = office.submit("alice")
    office.until(reference, status="pending_approval")
    office.decide(reference, manager, approved=True)
    office.until(reference, status="needs_attention")
    incident = Incident.objects.get()
    assert (incident.kind, incident.status) == ("fraud_unanswered", "open")
    eventually(lambda: status_in_engine(1) == "FAILED")
    first = rows_of_attempt(1)
    fraud_check(timeout=timedelta(minutes=5))
    fraud_service.mended = True

    application_restart(reference=reference, user=operations, reason="It answers again.")

    # The approval of the attempt before does not count: somebody decides again.
    office.until(reference, status="pending_approval")
    assert_nothing_left_to_write(Attempt(reference, 1))
    for callback in PendingCallback.objects.filter(name__startswith="fraud_check"):
        receipt = pending.callback_receive(
            callback_id=callback.callback_id, answer={"result": "passed"}
        )
        assert receipt != pending.CallbackReceipt.COUNTED
    office.decide(reference, manager, approved=True)
    office.until(reference, status="funded")
    eventually(lambda: status_in_engine(2) == "SUCCEEDED")
    assert_nothing_left_to_write(Attempt(reference, 1))
    assert rows_of_attempt(1) == first
    names = list(Execution.objects.order_by("attempt").values_list("name", flat=True))
    assert names == [f"{reference}-1", f"{reference}-2"]
    assert all(NAME.fullmatch(name) for name in names)
    payout = SimulatedPayout.objects.get()
    assert (payout.idempotency_key, payout.requests) == (f"payout-{reference}", 1)
    incident.refresh_from_db()
    assert (incident.status, incident.resolved_by) == ("resolved", operations)
    line = LoanApplication.objects.get().events.get(kind="restarted")
    assert line.message == "Restarted as attempt 2. It answers again."


def test_name_of_the_billionth_attempt_is_still_one() -> None:
    longest = LoanApplication._meta.get_field("reference").max_length
    assert NAME.fullmatch(Attempt("X" * (longest or 0), 10**9).name)


def test_execution_that_sleeps_while_its_case_is_restarted_is_stopped_and_writes_nothing(
    running: Callable[..., EngineProcess], office: Office, manager: User, operations: User
) -> None:
    running()
    reference = office.submit("alice")
    office.until(reference, status="pending_approval")
    application_stop(reference=reference, user=operations, reason="A wrong number.")
    application_restart(reference=reference, user=operations)
    office.until(reference, status="pending_approval")
    eventually(lambda: status_in_engine(1) == "STOPPED")
    first = rows_of_attempt(1)
    assert_nothing_left_to_write(Attempt(reference, 1))
    office.decide(reference, manager, approved=True)
    office.until(reference, status="funded")
    assert rows_of_attempt(1) == first
    assert SimulatedPayout.objects.get().requests == 1


def lose_the_engine(process: EngineProcess) -> None:
    """It dies, and everything it remembered with it; an empty one takes its place."""
    process.kill()
    shutil.rmtree(process.data / "engine")
    process.start()


def killed_while_it_pays(
    running: Callable[..., EngineProcess], office: Office, rail: Rail, *, blocks_at: str
) -> str:
    """A case whose first attempt was at the rail when it died for good."""
    rail.blocks_at = blocks_at
    process = running(PAYOUT_RAIL_URL=rail.url, PAYOUT_RAIL_TOKEN="t")
    reference = office.submit("charlie")
    assert rail.reached.wait(60)
    rail.blocks_at = ""
    lose_the_engine(process)
    with pytest.raises(NotFound):
        status_in_engine(1)
    assert [found.what for found in reconcile(calls_per_second=1000).findings] == [
        "lost by the engine"
    ]
    office.until(reference, status="needs_attention")
    assert Disbursement.objects.get().status == "requested"
    assert Incident.objects.get().kind == "engine_disagrees"
    return reference


def assert_paid_once(rail: Rail, reference: str) -> None:
    key = f"payout-{reference}"
    assert rail.books == {key: {"amount": "25000.00", "currency": "CAD", "reference": reference}}
    assert rail.payments == [key]
    ledger = Disbursement.objects.get()
    assert (ledger.status, ledger.rail_reference) == ("paid", f"RAIL-{key}")
    assert LoanApplication.objects.get().events.filter(kind="funded").count() == 1
    assert not Incident.objects.exclude(status="resolved").exists()


def test_first_attempt_that_paid_and_failed_before_the_books_is_not_paid_again(
    running: Callable[..., EngineProcess], office: Office, rail: Rail, operations: User
) -> None:
    reference = killed_while_it_pays(running, office, rail, blocks_at="paid")
    assert list(rail.books) == [f"payout-{reference}"]

    application_restart(reference=reference, user=operations)

    # The rail says that it paid: there is nothing left for another attempt to do or undo.
    assert office.read(reference)["status"] == "funded"
    assert_paid_once(rail, reference)
    assert_nothing_left_to_write(Attempt(reference, 1))
    assert Execution.objects.count() == 1
    deliver_what_waits()
    closing = OutboxMessage.objects.get(key=f"closed/{reference}-1")
    assert closing.status == "sent"


def test_first_attempt_that_failed_before_it_paid_is_paid_by_the_second(
    running: Callable[..., EngineProcess], office: Office, rail: Rail, operations: User
) -> None:
    reference = killed_while_it_pays(running, office, rail, blocks_at="asked")
    assert rail.books == {}

    application_restart(reference=reference, user=operations)

    office.until(reference, status="funded")
    assert_paid_once(rail, reference)
    assert Execution.objects.filter(name=f"{reference}-2").count() == 1
    assert_nothing_left_to_write(Attempt(reference, 1))
