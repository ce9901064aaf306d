"""Case 16: the engine is killed while cases wait for people, for a retry, and for a timeout.

The engine is a real process and dies by ``kill -9``; everything goes on after a restart.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from applications.models import ApplicationEvent, LoanApplication
from devtools.loopback_server import LoopbackServer
from reviews.models import ReviewTask
from tests import casework
from tests.functions.engine_process import EngineProcess
from tests.functions.office import PEOPLE, Office, deliver_what_waits
from tests.sizes import size
from tests.waiting import eventually
from workflows import engine
from workflows.callbacks import pending
from workflows.models import (
    Execution,
    Incident,
    OutboxMessage,
    PendingCallback,
    SimulatedPayout,
)

pytestmark = pytest.mark.django_db(transaction=True)

CHARLIE = PEOPLE["charlie"]["sin_last4"]


class FraudService:
    """The outside fraud service on loopback: out of order for Charlie, until it is mended."""

    def __init__(self) -> None:
        self.mended = False
        self.failed = 0
        service = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                subject = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fails = subject["sin_last4"] == CHARLIE and not service.mended
                service.failed += fails
                content = json.dumps({} if fails else {"result": "passed"}).encode()
                self.send_response(503 if fails else 200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self.server = LoopbackServer(Handler)
        self.server.start()

    @property
    def url(self) -> str:
        return self.server.url


@pytest.fixture
def fraud_service() -> Iterator[FraudService]:
    service = FraudService()
    yield service
    service.server.stop()


@pytest.fixture
def process(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    transactional_db: None,
    fraud_service: FraudService,
) -> Iterator[EngineProcess]:
    """An engine that is not started yet and asks ``fraud_service``."""
    made = EngineProcess(tmp_path)
    made.environment["FRAUD_SERVICE_URL"] = fraud_service.url
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", made.url)
    engine.forget_client()
    yield made
    made.stop()
    engine.forget_client()


def history(reference: str) -> list[dict[str, Any]]:
    """Return the engine's history of an application's execution, event by event."""
    arn = Execution.objects.values_list("arn", flat=True).get(application__reference=reference)
    found = engine._client().get_durable_execution_history(DurableExecutionArn=arn, MaxItems=1000)
    return list(found["Events"])


def waits_for_a_retry(reference: str) -> bool:
    """Experian was asked in vain, and another of its three tries lies ahead."""
    execution = Execution.objects.filter(application__reference=reference, arn__isnull=False)
    if not execution.exists():
        return False
    tries = [e["EventType"] for e in history(reference) if e.get("Name") == "experian"]
    return tries[-1:] == ["StepFailed"] and tries.count("StepFailed") < 3


def kinds(reference: str) -> list[str]:
    return list(
        ApplicationEvent.objects.filter(application__reference=reference).values_list(
            "kind", flat=True
        )
    )


def callbacks(reference: str) -> dict[str, str]:
    return dict(
        PendingCallback.objects.filter(execution__application__reference=reference).values_list(
            "name", "status"
        )
    )


def short_fraud_timeout(seconds: int) -> None:
    casework.change_policies(fraud_check_timeout=timedelta(seconds=seconds))


def assert_ended_well(reference: str, status: str) -> None:
    """The record and the engine agree, nothing happened twice, nobody is waited for."""
    application = LoanApplication.objects.get(reference=reference)
    assert (application.status, application.waiting_on) == (status, "")
    execution = Execution.objects.get(application=application)
    assert execution.status == "SUCCEEDED"
    eventually(lambda: engine.get(arn=str(execution.arn))["Status"] == "SUCCEEDED")
    found = kinds(reference)
    assert len(found) == len(set(found)), "a line of the timeline stands there twice"
    assert "open" not in callbacks(reference).values()
    payouts = SimulatedPayout.objects.filter(idempotency_key=f"payout-{reference}")
    assert [payout.requests for payout in payouts] == ([1] if status == "funded" else [])


def test_cases_that_wait_for_people_a_retry_and_a_timeout_all_go_on_after_a_kill(
    process: EngineProcess, fraud_service: FraudService, office: Office, manager: User
) -> None:
    short_fraud_timeout(8)
    process.start()
    patient, decided_meanwhile, declined = (office.submit("alice") for _ in range(3))
    for reference in (patient, decided_meanwhile, declined):
        office.until(reference, status="pending_approval")
    unanswered = office.submit("charlie")
    eventually(lambda: callbacks(unanswered).get("fraud_check-1") == "open")
    eventually(lambda: fraud_service.failed)
    retrying = office.submit("erin")
    eventually(partial(waits_for_a_retry, retrying))

    process.kill()

    # One manager decides while nobody is there to hear it.
    office.decide(decided_meanwhile, manager, approved=True)
    assert callbacks(decided_meanwhile) == {"manager_approval": "answered"}
    assert callbacks(unanswered) == {"fraud_check-1": "open"}
    assert not ReviewTask.objects.filter(application__reference=retrying).exists()
    process.start()
    deliver_what_waits()

    # (a) People.
    office.until(decided_meanwhile, status="funded")
    assert office.read(patient)["status"] == "pending_approval"
    office.decide(patient, manager, approved=True)
    office.decide(declined, manager, approved=False, reason="Out of appetite.")
    office.until(patient, status="funded")
    office.until(declined, status="declined")
    # (b) The retry: Experian stays down, so the case is a manager's.
    office.until(retrying, status="pending_approval")
    assert kinds(retrying).count("open_manager_approval") == 1
    assert sum(e.get("Name") == "experian" for e in history(retrying)) >= 3
    office.decide(retrying, manager, approved=True)
    office.until(retrying, status="funded")
    # (c) The timeout, which was set before the kill: the fraud check is asked again.
    eventually(lambda: callbacks(unanswered)["fraud_check-1"] == "expired")
    fraud_service.mended = True
    office.until(unanswered, status="funded")
    assert "delivered" in callbacks(unanswered).values()
    for reference in (patient, decided_meanwhile, retrying, unanswered):
        assert_ended_well(reference, "funded")
    assert_ended_well(declined, "declined")
    assert not Incident.objects.exists()


def test_callback_that_nobody_answers_times_out_after_the_restart_too(
    process: EngineProcess, fraud_service: FraudService, office: Office
) -> None:
    short_fraud_timeout(2)
    process.start()
    references = [office.submit("charlie") for _ in range(3)]
    for reference in references:
        eventually(lambda of=reference: "fraud_check-1" in callbacks(of))

    process.kill()
    process.start()

    for reference in references:
        office.until(reference, status="needs_attention")
        assert callbacks(reference) == {f"fraud_check-{number}": "expired" for number in (1, 2, 3)}
        incident = Incident.objects.get(application__reference=reference)
        assert incident.kind == "fraud_unanswered"
        assert "asked 3 times and did not answer" in incident.sentence
    assert not SimulatedPayout.objects.exists()


def test_answer_after_the_fraud_check_was_given_up_is_noted_and_leads_nowhere(
    process: EngineProcess, fraud_service: FraudService, office: Office
) -> None:
    short_fraud_timeout(1)
    process.start()
    reference = office.submit("charlie")
    office.until(reference, status="needs_attention")

    for callback in PendingCallback.objects.all():
        receipt = pending.callback_receive(
            callback_id=callback.callback_id, answer={"result": "passed"}
        )
        assert receipt != pending.CallbackReceipt.COUNTED

    assert kinds(reference).count("late_answer") == 3
    assert not OutboxMessage.objects.filter(kind=OutboxMessage.Kind.ANSWER_CALLBACK).exists()
    assert office.read(reference)["status"] == "needs_attention"


@pytest.mark.long
def test_kills_among_eight_cases_lose_none_and_pay_none_twice(
    process: EngineProcess, fraud_service: FraudService, office: Office, manager: User
) -> None:
    fraud_service.mended = True
    process.environment["LOANOFFICE_SIMULATED_LATENCY"] = "0.05"
    process.start()
    ends = {"alice": "funded", "charlie": "funded", "bob": "declined", "erin": "funded"}
    cases = {office.submit(person): end for person, end in ends.items() for _ in range(2)}

    def all_have_ended() -> bool:
        for task in ReviewTask.objects.filter(status="open").select_related("application"):
            office.decide(task.application.reference, manager, approved=True)
        deliver_what_waits()
        return not LoanApplication.objects.exclude(status__in=["funded", "declined"]).exists()

    for _ in range(size(short=2, long=4)):
        lines = ApplicationEvent.objects.count()
        eventually(
            lambda lines=lines: all_have_ended() or ApplicationEvent.objects.count() >= lines + 8
        )
        process.kill()
        process.start()
    eventually(all_have_ended, seconds=90)

    for reference, end in cases.items():
        assert_ended_well(reference, end)
    assert not Incident.objects.exists()
