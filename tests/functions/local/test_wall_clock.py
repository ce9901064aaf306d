"""Due times are wall-clock times: a machine that slept finds them over when it wakes.

While a machine is suspended its other clocks stand still, on which a timer of ``asyncio`` runs.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from functions.local.engine import LocalEngine
from functions.local.function import Function
from tests.functions.local.handlers import FUNCTIONS, approval, runs
from tests.functions.local.support import callback_of, client_for, ended, history_of, start
from tests.waiting import eventually

HOURS = 2
SECONDS = 3600 * HOURS - 60


class LeapingClock:
    """The wall clock of a machine that sleeps when it is told to."""

    def __init__(self) -> None:
        self.slept = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.slept

    def arm(self, wake: datetime) -> float:
        return max(0.0, (wake - self.now()).total_seconds())


@pytest.fixture
def clock() -> LeapingClock:
    return LeapingClock()


@pytest.fixture
def sleepy(tmp_path: Path, clock: LeapingClock) -> Iterator[LocalEngine]:
    """An engine on that machine."""
    functions = {
        **FUNCTIONS,
        "hours": Function(approval, durable=True, execution_timeout_seconds=SECONDS),
    }
    with LocalEngine(
        functions=functions, data=tmp_path / "data", clock=clock, event_retry_delays=(SECONDS,)
    ) as engine:
        yield engine


def test_everything_that_fell_due_during_two_hours_of_sleep_goes_on_at_once(
    sleepy: LocalEngine, clock: LeapingClock, tmp_path: Path
) -> None:
    client = client_for(sleepy.url)
    folder = str(tmp_path)
    arns = {
        "wait": start(client, "sleeper", "wait", effects=folder, seconds=SECONDS),
        "retry": start(client, "stumbling", "retry", effects=folder, delay=SECONDS),
        "callback": start(client, "approval", "callback", effects=folder, timeout=SECONDS),
        "heartbeat": start(client, "approval", "heartbeat", effects=folder, heartbeat=SECONDS),
        "execution": start(client, "hours", "execution", effects=folder),
    }
    event = {"id": "event", "effects": folder, "failures": 1}
    client.invoke(FunctionName="unsteady", InvocationType="Event", Payload=json.dumps(event))
    eventually(lambda: "WaitStarted" in history_of(client, arns["wait"]))
    eventually(lambda: "StepFailed" in history_of(client, arns["retry"]))
    for name in ("callback", "heartbeat", "execution"):
        callback_of(tmp_path, name)
    eventually(lambda: runs(tmp_path, "event", "unsteady") == 1)
    eventually(lambda: sleepy._activity.running == 0)
    eventually(lambda: sleepy.tracked()["queues"] == 0)
    clock.slept = timedelta(hours=HOURS)
    statuses = {name: ended(client, arn)["Status"] for name, arn in arns.items()}
    assert statuses == dict.fromkeys(arns, "SUCCEEDED") | {"execution": "TIMED_OUT"}
    eventually((tmp_path / "event.delivered").exists)
    eventually(lambda: not any(sleepy.tracked().values()), what="nothing is left behind")


def test_clock_that_was_set_back_ends_nothing_early(
    sleepy: LocalEngine, clock: LeapingClock, tmp_path: Path
) -> None:
    client = client_for(sleepy.url)
    arn = start(client, "hours", "early", effects=str(tmp_path))
    callback_of(tmp_path, "early")
    eventually(lambda: sleepy.tracked()["queues"] == 0)
    clock.slept = timedelta(hours=-HOURS)
    sleepy._executor.rearm_soon(arn).result(timeout=10)
    assert client.get_durable_execution(DurableExecutionArn=arn)["Status"] == "RUNNING"
    clock.slept = timedelta(hours=HOURS)
    assert ended(client, arn)["Status"] == "TIMED_OUT"
