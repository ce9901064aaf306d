"""The whole path on a disk that refuses writes: decisions stand, and each case ends as decided."""

import sys
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from loanoffice import health
from tests.functions.engine_process import EngineProcess
from tests.functions.local.faults import full
from tests.functions.office import Office, assert_funded_once, deliver_what_waits
from tests.sizes import LONG, size
from tests.waiting import eventually
from workflows import engine
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback
from workflows.reconcile.compare import reconcile

pytestmark = pytest.mark.django_db(transaction=True)


def delivered(office: Office, reference: str, status: str) -> bool:
    """Send what was refused again, as the sweep does; true once the case has the status."""
    deliver_what_waits()
    return bool(office.read(reference)["status"] == status)


@pytest.mark.long
@pytest.mark.parametrize("every", [7, 11, 23] if LONG else [7])
def test_every_nth_write_may_fail_and_every_decision_stands(
    running: Callable[..., EngineProcess], office: Office, manager: User, every: int
) -> None:
    process = running(
        DJANGO_SETTINGS_MODULE="tests.functions.faulty_settings", ENGINE_FAILS_EVERY=str(every)
    )
    many = size(short=1, long=12)
    approved = [office.submit("alice") for _ in range(many)]
    declined = [office.submit("erin") for _ in range(many)]
    for reference in approved + declined:
        eventually(
            lambda reference=reference: delivered(office, reference, "pending_approval"),
            seconds=120,
            what=f"{reference} waits for a manager",
        )
    for reference in approved:
        office.decide(reference, manager, approved=True)
    for reference in declined:
        office.decide(reference, manager, approved=False, reason="Not now.")
    for references, status in ((approved, "funded"), (declined, "declined")):
        for reference in references:
            eventually(
                lambda reference=reference, status=status: delivered(office, reference, status),
                seconds=120,
                what=f"{reference} is {status}",
            )
    assert not Incident.objects.exists()
    # What the engine's disk says is what the record says.
    process.stop()
    process.environment["DJANGO_SETTINGS_MODULE"] = "loanoffice.settings.local"
    process.start()
    for reference in approved:
        assert_funded_once(reference)
    for execution in Execution.objects.all():
        assert engine.get(arn=str(execution.arn))["Status"] == "SUCCEEDED"
    assert reconcile(calls_per_second=1000).findings == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit")
def test_decision_on_a_full_disk_waits_readiness_says_so_and_all_goes_on(
    running: Callable[..., EngineProcess], office: Office, manager: User
) -> None:
    process = running()
    reference = office.submit("alice")
    office.until(reference, status="pending_approval")
    assert process.popen is not None
    with full(process.popen.pid, process.data / "engine"):
        office.decide(reference, manager, approved=True)
        assert PendingCallback.objects.get().status == "answered"
        assert OutboxMessage.objects.filter(status="pending").exists()
        health.READINESS.forget()
        ready = Client().get("/health/ready/")
        assert (ready.status_code, ready.json()["engine"]) == (503, "unreachable")
    health.READINESS.forget()
    assert Client().get("/health/ready/").status_code == 200
    deliver_what_waits()
    office.until(reference, status="funded")
    assert_funded_once(reference)
