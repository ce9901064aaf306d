"""Event invocations of plain functions: a durable queue with retries."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from functions.local.database import Database
from functions.local.engine import LocalEngine
from tests.functions.local.handlers import FUNCTIONS, runs
from tests.functions.local.support import client_for
from tests.waiting import eventually


def send(client: Any, function: str, identity: str, folder: Path, **event: Any) -> None:
    """Send an event and expect nothing but a receipt."""
    answer = client.invoke(
        FunctionName=function,
        InvocationType="Event",
        Payload=json.dumps({"id": identity, "effects": str(folder), **event}),
    )
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")


def queued(engine: LocalEngine) -> int:
    """Events that are not delivered yet."""
    return engine._events.counts().get("queued", 0)


def test_event_is_delivered_and_gone(engine: LocalEngine, client: Any, tmp_path: Path) -> None:
    send(client, "unsteady", "smooth", tmp_path, failures=0)
    eventually((tmp_path / "smooth.delivered").exists)
    eventually(lambda: queued(engine) == 0)
    assert runs(tmp_path, "smooth", "unsteady") == 1


def test_event_that_fails_twice_is_delivered_at_the_third_try(
    engine: LocalEngine, client: Any, tmp_path: Path
) -> None:
    send(client, "unsteady", "third", tmp_path, failures=2)
    eventually((tmp_path / "third.delivered").exists)
    eventually(lambda: queued(engine) == 0)
    assert runs(tmp_path, "third", "unsteady") == 3


def test_event_that_always_fails_is_logged_with_its_traceback_and_kept_as_dead(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with LocalEngine(
        functions=FUNCTIONS, data=tmp_path / "data", event_retry_delays=(0.01, 0.02)
    ) as engine:
        send(client_for(engine.url), "broken", "doomed", tmp_path)
        eventually(lambda: engine._events.counts().get("dead") == 1)
    database = Database(tmp_path / "data" / "engine.db")
    [(state, function, attempts, error, payload)] = database.read(
        "SELECT state, function, attempts, error, payload FROM events"
    )
    database.close()
    assert (state, function, attempts) == ("dead", "broken", 3)
    assert "KeyError: 'missing'" in str(error)
    assert json.loads(str(payload))["id"] == "doomed"
    assert runs(tmp_path, "doomed", "broken") == 3
    last = [record for record in caplog.records if record.levelno == logging.ERROR][-1]
    assert "given up" in last.getMessage()
    assert "Traceback" in last.getMessage()


def test_waiting_retry_survives_a_stop(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with LocalEngine(functions=FUNCTIONS, data=data, event_retry_delays=(0.3, 0.3)) as engine:
        send(client_for(engine.url), "unsteady", "patient", tmp_path, failures=1)
        eventually(lambda: runs(tmp_path, "patient", "unsteady") == 1)
    assert not (tmp_path / "patient.delivered").exists()
    with LocalEngine(functions=FUNCTIONS, data=data) as engine:
        assert engine.recovered.events == 1
        eventually((tmp_path / "patient.delivered").exists)


def test_events_run_on_a_bounded_number_of_threads(tmp_path: Path) -> None:
    with LocalEngine(functions=FUNCTIONS, data=tmp_path / "data", handler_threads=2) as engine:
        client = client_for(engine.url)
        for number in range(5):
            send(client, "held", f"h{number}", tmp_path)
        eventually(lambda: engine._activity.running == 2)
        assert queued(engine) == 5
        for number in range(5):
            (tmp_path / f"h{number}.gate").touch()
        eventually(lambda: queued(engine) == 0)
    assert all((tmp_path / f"h{number}.delivered").exists() for number in range(5))
