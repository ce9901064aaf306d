"""A damaged row of the engine's file, the whole way to the incident that a person gets."""

import json
import sqlite3
import urllib.request
from collections.abc import Callable
from contextlib import closing

import pytest
from django.contrib.auth.models import User

from applications.models import LoanApplication
from tests.functions.engine_process import EngineProcess
from tests.functions.office import Office, deliver_what_waits
from tests.waiting import eventually
from workflows.models import Execution, Incident
from workflows.reconcile.compare import reconcile

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]


def test_damaged_row_is_set_aside_shown_by_health_and_becomes_an_incident(
    running: Callable[..., EngineProcess], office: Office, manager: User
) -> None:
    process = running()
    bad, good = office.submit("alice"), office.submit("alice")
    for reference in (bad, good):
        office.until(reference, status="pending_approval")
    process.stop()
    name = Execution.objects.get(application__reference=bad).name
    file = process.data / "engine" / "engine.db"
    with closing(sqlite3.connect(file)) as rows, rows:
        update = "UPDATE executions SET data = '{\"Operations\": [' WHERE name = ?"
        assert rows.execute(update, [name]).rowcount == 1
    process.start()

    def health() -> dict[str, int]:
        with urllib.request.urlopen(f"{process.url}/health") as answer:
            return dict(json.load(answer))

    eventually(lambda: health()["recovering"] == 0)
    assert (health()["damaged"], health()["recovered"]) == (1, 2)
    with closing(sqlite3.connect(file)) as rows:
        [(found, data, reason)] = rows.execute("SELECT name, data, reason FROM damaged").fetchall()
    assert (found, data) == (name, '{"Operations": [')
    assert "JSONDecodeError" in reason
    [finding] = reconcile(calls_per_second=1000).findings
    assert (finding.name, finding.what) == (name, "lost by the engine")
    application = LoanApplication.objects.get(reference=bad)
    assert application.status == "needs_attention"
    incident = Incident.objects.get()
    assert incident.application == application
    assert f"The engine does not know {name}" in incident.sentence
    # The other goes on as if nothing had happened, and nothing is found twice.
    office.decide(good, manager, approved=True)
    deliver_what_waits()
    office.until(good, status="funded")
    assert reconcile(calls_per_second=1000).findings == []
    assert Incident.objects.count() == 1
