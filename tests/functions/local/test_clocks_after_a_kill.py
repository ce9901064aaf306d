"""``kill -9`` while the engine's clocks run: each strikes when it would have.

One engine is killed once, with an execution for each clock, and is down for a while. The tests
look at what became of the executions.
"""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.functions.local.support import EngineProcess, callback_of, ended, history_of, start
from tests.waiting import eventually

# One engine for all of them, so one worker.
pytestmark = pytest.mark.xdist_group("clocks")

DOWN = 1.2  # seconds between the kill and the next start
WAIT = 3  # seconds of every clock that is to strike after the engine is back
# A clock that began anew with the engine would strike WAIT after it was ready at the earliest.
NOT_ANEW = WAIT - 0.3


@dataclass
class Outcome:
    """Moments on ``time.monotonic``; ``execution`` is what the engine says in the end."""

    began: float
    execution: dict[str, Any] = field(default_factory=dict)
    ended: float = 0.0

    @property
    def result(self) -> Any:
        assert self.execution["Status"] == "SUCCEEDED", self.execution
        return json.loads(self.execution["Result"])


@dataclass
class Killed:
    outcomes: dict[str, Outcome]
    beaten: float  # when the heartbeat was sent
    ready: float  # when the engine was back


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    process = EngineProcess(tmp_path_factory.mktemp("clocks"))
    folder = process.folder
    outcomes: dict[str, Outcome] = {}
    arns: dict[str, str] = {}

    def begin(name: str, function: str, **event: Any) -> None:
        outcomes[name] = Outcome(time.monotonic())
        arns[name] = start(process.client, function, name, effects=str(folder), **event)

    def await_end(name: str) -> None:
        outcomes[name].execution = ended(process.client, arns[name])
        outcomes[name].ended = time.monotonic()

    try:
        process.start()
        begin("retry", "stumbling", delay=WAIT)
        begin("wait", "sleeper", seconds=WAIT)
        begin("callback", "approval", timeout=WAIT)
        begin("execution", "patient")
        begin("heartbeat", "approval", heartbeat=WAIT)
        # The delay begins when the engine has the failure, which is after the step's own effect.
        eventually(lambda: "StepFailed" in history_of(process.client, arns["retry"]))
        eventually(lambda: "WaitStarted" in history_of(process.client, arns["wait"]))
        for name in ("callback", "execution"):
            callback_of(folder, name)
        later = time.monotonic() + 0.5
        callback_id = callback_of(folder, "heartbeat")
        eventually(lambda: time.monotonic() > later)
        beaten = time.monotonic()
        process.client.send_durable_execution_callback_heartbeat(CallbackId=callback_id)
        begin("overslept", "sleeper", seconds=1)
        eventually(lambda: "WaitStarted" in history_of(process.client, arns["overslept"]))
        process.kill()
        until = time.monotonic() + DOWN
        eventually(lambda: time.monotonic() > until)
        process.start()
        ready = time.monotonic()
        with ThreadPoolExecutor(len(arns)) as pool:
            for _ in pool.map(await_end, arns):
                pass
        yield Killed(outcomes, beaten=beaten, ready=ready)
    finally:
        process.kill()


def assert_struck_in_time(killed: Killed, name: str) -> Outcome:
    """It struck when it would have, by what had passed before the kill and during it."""
    outcome = killed.outcomes[name]
    assert outcome.ended - outcome.began >= WAIT
    assert outcome.ended - killed.ready < NOT_ANEW
    return outcome


def test_retry_delay_retries_when_it_would_have(killed: Killed) -> None:
    assert assert_struck_in_time(killed, "retry").result == 2


def test_wait_wakes_when_it_would_have(killed: Killed) -> None:
    assert assert_struck_in_time(killed, "wait").result == "done"


def test_wait_that_ended_while_the_engine_was_down_goes_on_at_once(killed: Killed) -> None:
    overslept = killed.outcomes["overslept"]
    assert overslept.result == "done"
    assert overslept.ended - killed.ready < 5


def test_callback_timeout_counts_the_time_before_the_kill(killed: Killed) -> None:
    answer = assert_struck_in_time(killed, "callback").result["answer"]
    assert "CallbackTimeoutError" in answer


def test_heartbeat_timeout_counts_from_the_last_heartbeat_before_the_kill(killed: Killed) -> None:
    outcome = assert_struck_in_time(killed, "heartbeat")
    assert "heartbeat" in outcome.result["answer"]
    assert outcome.ended - killed.beaten >= WAIT - 0.1


def test_execution_timeout_counts_the_time_before_the_kill(killed: Killed) -> None:
    assert assert_struck_in_time(killed, "execution").execution["Status"] == "TIMED_OUT"
