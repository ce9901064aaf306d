"""A partner, the staff and an engine in a process of its own, for tests of the whole path."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from applications.models import Disbursement, LoanApplication
from tests.functions.engine_process import EngineProcess
from tests.waiting import eventually
from workflows import engine
from workflows.models import Execution, OutboxMessage, PendingCallback, SimulatedPayout
from workflows.outbox import queue

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
    """``running(latency=0.3)``: an engine that this test's boto3 speaks to.

    What else is given becomes the engine's environment: ``running(PAYOUT_RAIL_URL=...)``.
    """
    started: list[EngineProcess] = []

    def start(latency: float = 0.0, **environment: str) -> EngineProcess:
        process = EngineProcess(tmp_path, latency=latency, **environment)
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
    """Deliver outgoing messages as the sweep does, without waiting for the backoff."""
    OutboxMessage.objects.filter(status="pending").update(due_at="2020-01-01T00:00:00Z")
    queue.send_due()


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
