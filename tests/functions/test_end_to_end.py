"""The whole path over HTTP: partner API, outbox, embedded engine, decision, payout.

The engine is a real process; the crashes are real ``kill -9``.
"""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from reviews.models import ReviewTask
from tests.functions.engine_process import EngineProcess
from tests.functions.office import PEOPLE, Office, assert_funded_once, deliver_what_waits
from tests.waiting import eventually
from workflows.models import Execution, PendingCallback, SimulatedPayout

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.both_databases
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


@pytest.mark.both_databases
def test_engine_killed_while_the_bureaus_are_pulled(
    running: Callable[..., EngineProcess], office: Office, manager: User
) -> None:
    process = running(latency=0.3)
    reference = office.submit("alice")
    office.until(reference, current_step="credit_check")
    process.kill()
    assert not ReviewTask.objects.exists()
    process.environment["LOANOFFICE_SIMULATED_LATENCY"] = "0"
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
    process.environment["LOANOFFICE_SIMULATED_LATENCY"] = "0"
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
