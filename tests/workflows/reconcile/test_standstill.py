"""Reconcile finds an execution in which nothing happens any more, on a real engine on loopback."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from applications.models import ApplicationEvent
from tests.casework import submit, waiting_for_manager
from tests.workflows.reconcile.comparing import found, run, state
from tests.workflows.reconcile.engine import Carry, carry, endpoint
from workflows import engine
from workflows.models import Execution, Incident
from workflows.reconcile.standstill import STILL

__all__ = ["carry", "endpoint"]
pytestmark = pytest.mark.django_db

AT_ONCE = timedelta(0)


def test_execution_with_nothing_to_come_and_an_old_history_is_an_incident(
    officer: User, carry: Carry
) -> None:
    carry(submit(officer), do="hold")
    before = state()
    assert found(run(still=AT_ONCE, dry_run=True)) == ["stands still"]
    assert state() == before
    assert found(run(still=AT_ONCE)) == ["stands still"]
    incident = Incident.objects.get()
    assert (incident.kind, incident.execution) == ("engine_disagrees", Execution.objects.get())
    assert "waits for nothing" in incident.sentence
    assert found(run(still=AT_ONCE)) == []


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, []), (1.5, ["stands still"])], ids=["young", "old"]
)
def test_age_of_the_history_decides_when_the_record_shows_no_progress(
    officer: User,
    carry: Carry,
    monkeypatch: pytest.MonkeyPatch,
    share: float,
    expected: list[str],
) -> None:
    arn = carry(submit(officer), do="hold")
    record = ApplicationEvent.objects.latest("at").at
    history = max(event["EventTimestamp"] for event in engine.history(arn=arn))
    now = record + share * (history - record) + STILL
    monkeypatch.setattr(timezone, "now", lambda: now)
    assert found(run()) == expected


def test_progress_in_the_record_is_progress(officer: User, carry: Carry) -> None:
    application = submit(officer)
    carry(application, do="hold")
    ApplicationEvent.objects.create(
        application=application,
        kind="later",
        message="Later",
        at=timezone.now() + timedelta(minutes=1),
    )
    assert found(run(still=AT_ONCE)) == []


@pytest.mark.parametrize("way", ["sleep", "stumble"])
def test_wait_and_retry_that_are_to_come_are_no_standstill(
    officer: User, carry: Carry, way: str
) -> None:
    carry(submit(officer), do=way)
    assert found(run(still=AT_ONCE)) == []


def test_person_who_is_waited_for_is_no_standstill(officer: User, carry: Carry) -> None:
    carry(waiting_for_manager(officer), do="wait")
    assert found(run(still=AT_ONCE)) == []


def test_callback_that_the_record_does_not_have_yet_is_no_standstill(
    officer: User, carry: Carry
) -> None:
    carry(submit(officer), do="wait")
    assert found(run(still=AT_ONCE)) == []
