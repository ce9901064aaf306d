"""The whole path over HTTP: partner API, outbox, embedded engine, decision, payout.

The engine is a real process; the crashes are real ``kill -9``.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from applications.models import Disbursement, LoanApplication, ReviewTask
from tests.functions.engine_process import EngineProcess
from tests.waiting import eventually
from workflows import engine, outbox
from workflows.models import Execution, OutboxMessage, PendingCallback, SimulatedPayout

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

PEOPLE: dict[str, dict[str, str]] = {
    "alice": {"applicant_name": "Alice Johnson", "sin_last4": "1111", "loan_amount": "150000.00"},
    "bob": {"applicant_name": "Bob Martinez", "sin_last4": "2222", "loan_amount": "50000.00"},
    "charlie": {"applicant_name": "Charlie Wilson", "sin_last4": "3333", "loan_amount": "25000.00"},
    "charlie_too_much": {
        "applicant_name": "Charlie Wilson",
        "sin_last4": "3333",
        "loan_amount": "25001.00",
    },
    "dana": {"applicant_name": "Dana Reed", "sin_last4": "4444", "loan_amount": "40000.00"},
    "erin": {"applicant_name": "Erin Park", "sin_last4": "5555", "loan_amount": "30000.00"},
}


@pytest.fixture
def running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> Iterator[Callable[..., EngineProcess]]:
    """``running(latency=0.3)``: an engine that this test's boto3 speaks to."""
    started: list[EngineProcess] = []

    def start(latency: float = 0.0) -> EngineProcess:
        process = EngineProcess(tmp_path, latency=latency)
        started.append(process)
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", process.url)
        engine.forget_client()
        process.start()
        return process

    yield start
    for process in started:
        process.stop()
    engine.forget_client()


class Office:
    """A partner and the staff, through the doors that they really use."""

    def __init__(self, key: str) -> None:
        self.partner = Client(headers={"Authorization": f"Bearer {key}"})

    def submit(self, person: str) -> str:
        response = self.partner.post(
            "/api/v1/applications/", PEOPLE[person], content_type="application/json"
        )
        assert response.status_code == 201, response.content
        return str(response.json()["reference"])

    def read(self, reference: str) -> dict[str, Any]:
        response = self.partner.get(f"/api/v1/applications/{reference}/")
        assert response.status_code == 200, response.content
        return dict(response.json())

    def until(self, reference: str, **expected: str) -> dict[str, Any]:
        return eventually(
            lambda: (
                (found := self.read(reference))
                and all(found[name] == value for name, value in expected.items())
                and found
            ),
            seconds=60,
            what=f"{reference} becomes {expected}, is {self.read(reference)}",
        )

    def decide(self, reference: str, user: User, *, approved: bool, reason: str = "") -> None:
        staff = Client()
        staff.force_login(user)
        body: dict[str, Any] = {"approved": approved, **({"reason": reason} if reason else {})}
        response = staff.post(
            f"/api/v1/applications/{reference}/decision/", body, content_type="application/json"
        )
        assert response.status_code == 200, response.content


@pytest.fixture
def office(partner_key: str) -> Office:
    return Office(partner_key)


def deliver_what_waits() -> None:
    """What the sweep does, without waiting for the backoff to pass."""
    OutboxMessage.objects.filter(status="pending").update(due_at="2020-01-01T00:00:00Z")
    outbox.send_due()


def assert_funded_once(reference: str) -> None:
    application = LoanApplication.objects.get(reference=reference)
    assert application.status == "funded"
    assert Disbursement.objects.get(application=application).status == "paid"
    assert SimulatedPayout.objects.filter(idempotency_key=f"payout-{reference}").count() == 1
    execution = Execution.objects.get(application=application)
    assert execution.arn is not None
    eventually(lambda: engine.get(arn=str(execution.arn))["Status"] == "SUCCEEDED")
    kinds = list(application.events.values_list("kind", flat=True))
    assert len(kinds) == len(set(kinds)), "a line of the timeline stands there twice"
    assert not PendingCallback.objects.exclude(status="delivered").exists()


def test_every_demo_profile_goes_its_way(
    running: Callable[..., EngineProcess], office: Office, manager: User, analyst: User
) -> None:
    running()
    cases = {person: office.submit(person) for person in PEOPLE}
    office.until(cases["bob"], status="declined")
    office.until(cases["charlie_too_much"], status="declined")
    office.until(cases["charlie"], status="funded")
    assert office.until(cases["alice"], status="pending_approval")["waiting_on"]["who"] == "manager"
    office.until(cases["erin"], status="pending_approval")
    eventually(
        lambda: (office.read(cases["dana"])["waiting_on"] or {}).get("who") == "risk_analyst"
    )
    reasons = [r["code"] for r in office.read(cases["bob"])["decision"]["reasons"]]
    assert reasons == ["SCORE_TOO_LOW", "DEROGATORY_MARKS"]

    office.decide(cases["alice"], manager, approved=True)
    office.decide(cases["erin"], manager, approved=False, reason="Wait for Experian.")
    office.decide(cases["dana"], analyst, approved=True)
    office.until(cases["alice"], status="funded")
    office.until(cases["erin"], status="declined")
    office.until(cases["dana"], status="funded")
    for person in ("alice", "charlie", "dana"):
        assert_funded_once(cases[person])
    assert SimulatedPayout.objects.count() == 3


def test_engine_killed_while_a_manager_is_waited_for(
    running: Callable[..., EngineProcess], office: Office, manager: User
) -> None:
    process = running()
    reference = office.submit("alice")
    office.until(reference, status="pending_approval")
    process.kill()
    office.decide(reference, manager, approved=True)  # nobody is there to hear it
    assert PendingCallback.objects.get().status == "answered"
    process.start()
    deliver_what_waits()
    office.until(reference, status="funded")
    assert_funded_once(reference)


def test_engine_killed_while_the_bureaus_are_pulled(
    running: Callable[..., EngineProcess], office: Office, manager: User
) -> None:
    process = running(latency=0.3)
    reference = office.submit("alice")
    office.until(reference, current_step="credit_check")
    process.kill()
    assert not ReviewTask.objects.exists()
    process.start()
    office.until(reference, status="pending_approval")
    office.decide(reference, manager, approved=True)
    office.until(reference, status="funded")
    assert_funded_once(reference)


def test_engine_killed_while_the_fraud_check_runs(
    running: Callable[..., EngineProcess], office: Office
) -> None:
    process = running(latency=0.3)
    reference = office.submit("charlie")
    eventually(lambda: PendingCallback.objects.filter(name="fraud_check-1", status="open").exists())
    process.kill()
    process.start()
    office.until(reference, status="funded")
    assert_funded_once(reference)


def test_engine_down_at_submission_loses_nothing(
    running: Callable[..., EngineProcess], office: Office
) -> None:
    process = running()
    process.kill()
    reference = office.submit("bob")
    assert office.read(reference)["status"] == "submitted"
    process.start()
    deliver_what_waits()
    office.until(reference, status="declined")
    assert Execution.objects.count() == 1
