"""Hard case 5: restart after failure: a new attempt under its own name, and one payout at most."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User

from applications.errors import CaseClosed
from applications.models import ApplicationEvent, Disbursement, LendingPolicy, LoanApplication
from applications.services import progress
from applications.services.gate import Run
from applications.vocabulary import FraudVerdict
from tests.functions.engine_process import EngineProcess
from tests.functions.office import Office
from tests.hard_cases.loopback import Loopback, Reply
from tests.hard_cases.rail import Rail, http_rail
from workflows.models import Execution, Incident
from workflows.operations import application_restart
from workflows.reconcile import reconcile

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}")


class Fraud:
    """A fraud service that passes everybody while it is ``up``."""

    def __init__(self) -> None:
        self.up = True
        self.url = ""

    def answer(self, *_: Any) -> Reply:
        """``POST /checks``."""
        if not self.up:
            return HTTPStatus.SERVICE_UNAVAILABLE, {}, {}
        return HTTPStatus.OK, {}, {"result": "passed"}


@pytest.fixture
def fraud() -> Iterator[Fraud]:
    service = Fraud()
    with Loopback(service.answer) as server:
        service.url = server.url
        yield service


@pytest.fixture
def rail(settings: Any) -> Iterator[Rail]:
    with http_rail() as service:
        settings.LOANOFFICE_PROVIDERS = {
            **settings.LOANOFFICE_PROVIDERS,
            "payout": {"url": service.url, "token": "t"},
        }
        yield service


def test_attempt_that_failed_is_carried_on_by_a_new_one_and_writes_nothing_more(
    running: Callable[..., EngineProcess], office: Office, fraud: Fraud, operations: User
) -> None:
    LendingPolicy.objects.update(fraud_check_timeout=timedelta(seconds=1), fraud_check_attempts=1)
    fraud.up = False
    running(FRAUD_SERVICE_URL=fraud.url, FRAUD_SERVICE_TOKEN="t")
    reference = office.submit("charlie")
    office.until(reference, status="needs_attention")
    assert Incident.objects.get().kind == "fraud_unanswered"

    fraud.up = True
    LendingPolicy.objects.update(fraud_check_timeout=timedelta(minutes=5))
    application_restart(reference=reference, user=operations)

    office.until(reference, status="funded")
    first, second = Execution.objects.order_by("attempt")
    assert (first.name, second.name) == (f"{reference}-1", f"{reference}-2")
    assert all(NAME.fullmatch(execution.name) for execution in (first, second))
    assert (first.status, second.status) == ("FAILED", "SUCCEEDED")
    assert first.arn != second.arn
    before = ApplicationEvent.objects.count()
    with pytest.raises(CaseClosed, match="newer attempt"):
        progress.offer_begin(Run(reference, 1), verdict=FraudVerdict.PASSED)
    assert ApplicationEvent.objects.count() == before
    assert not Incident.objects.exclude(status="resolved").exists()


def test_attempt_that_had_paid_and_failed_before_the_books_is_funded_and_not_paid_again(
    running: Callable[..., EngineProcess], office: Office, rail: Rail, operations: User
) -> None:
    process = running(PAYOUT_RAIL_URL=rail.url, PAYOUT_RAIL_TOKEN="t")
    rail.blocks_at = "paid"
    reference = office.submit("charlie")
    assert rail.reached.wait(60)
    process.kill()
    rail.go_on.set()
    # The engine comes back without anything that it knew: Operations take the case.
    for path in (process.data / "engine").glob("engine.db*"):
        path.unlink()
    process.start()
    assert [found.what for found in reconcile(calls_per_second=1000).findings] == [
        "lost by the engine"
    ]
    assert LoanApplication.objects.get().status == "needs_attention"

    application_restart(reference=reference, user=operations)

    # The rail said that it had paid, so there was nothing to begin again.
    application = LoanApplication.objects.get()
    assert (application.status, application.attempt) == ("funded", 1)
    assert rail.payments == [f"payout-{reference}"]
    assert Disbursement.objects.get().status == "paid"
    assert not Incident.objects.exclude(status="resolved").exists()
