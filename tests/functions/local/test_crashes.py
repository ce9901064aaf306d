"""``kill -9`` at every bad moment: afterwards everything ends as it would have."""

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from functions.local.database import Database
from functions.local.engine import HANDLER_THREADS
from functions.local.execution_names import ExecutionNames
from functions.local.function import FunctionName, find_function
from tests.functions.local.handlers import FUNCTIONS, runs
from tests.functions.local.support import (
    EngineProcess,
    callback_of,
    client_for,
    ended,
    start,
)
from tests.sizes import size
from tests.waiting import eventually


def result_of(details: dict[str, Any]) -> Any:
    """The result of an execution that succeeded."""
    assert details["Status"] == "SUCCEEDED", details
    return json.loads(details["Result"])


def test_killed_while_a_callback_is_pending_takes_its_answer_afterwards(
    killable: EngineProcess,
) -> None:
    arn = start(killable.client, "approval", "pending", effects=str(killable.folder))
    callback_id = callback_of(killable.folder, "pending")
    assert killable.restart().recovered == 1
    killable.client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")
    assert result_of(ended(killable.client, arn)) == {"before": "done", "answer": "yes"}


def test_answer_given_just_before_a_kill_is_kept(killable: EngineProcess) -> None:
    arn = start(killable.client, "approval", "answered", effects=str(killable.folder))
    killable.client.send_durable_execution_callback_success(
        CallbackId=callback_of(killable.folder, "answered"), Result=b"yes"
    )
    killable.restart()
    assert result_of(ended(killable.client, arn))["answer"] == "yes"


def test_killed_in_the_middle_of_a_step_runs_the_step_again(killable: EngineProcess) -> None:
    arn = start(killable.client, "gated", "midstep", effects=str(killable.folder))
    eventually(lambda: runs(killable.folder, "midstep", "gated") == 1)
    killable.restart()
    eventually(lambda: runs(killable.folder, "midstep", "gated") == 2)
    (killable.folder / "midstep.gate").touch()
    assert result_of(ended(killable.client, arn)) == "done"


def test_killed_during_an_event_delivers_it_again(killable: EngineProcess) -> None:
    killable.client.invoke(
        FunctionName="held",
        InvocationType="Event",
        Payload=json.dumps({"id": "event", "effects": str(killable.folder)}),
    )
    eventually(lambda: runs(killable.folder, "event", "held") == 1)
    assert killable.restart().recovered == 1
    eventually(lambda: runs(killable.folder, "event", "held") == 2)
    (killable.folder / "event.gate").touch()
    eventually((killable.folder / "event.delivered").exists)


def test_killed_between_reservation_and_start_starts_what_was_promised(
    killable: EngineProcess,
) -> None:
    event = {"id": "reserved", "effects": str(killable.folder)}
    killable.kill()
    function = FunctionName("approval", "$LATEST")
    target = find_function(FUNCTIONS, function, "us-west-2")
    arn = target.execution_arn("us-west-2", "reserved")
    database = Database(killable.folder / "data" / "engine.db")
    ExecutionNames(database).reserve(function, "reserved", arn, json.dumps(event))
    database.close()
    assert killable.start().recovered == 1
    # The sender, who got no answer, asks again and is told the same execution.
    assert start(killable.client, "approval", name="reserved", effects=event["effects"]) == arn
    killable.client.send_durable_execution_callback_success(
        CallbackId=callback_of(killable.folder, "reserved"), Result=b"yes"
    )
    assert result_of(ended(killable.client, arn))["answer"] == "yes"


def test_pause_survives_a_kill(killable: EngineProcess) -> None:
    arn = start(killable.client, "approval", "paused", effects=str(killable.folder))
    callback_id = callback_of(killable.folder, "paused")
    killable.client.pause_durable_execution(DurableExecutionArn=arn, Reason="a question")
    killable.restart()
    details = killable.client.get_durable_execution(DurableExecutionArn=arn)
    assert (details["Status"], details["PauseDetails"]["Reason"]) == ("PAUSED", "a question")
    killable.client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")
    killable.client.resume_durable_execution(DurableExecutionArn=arn)
    assert result_of(ended(killable.client, arn))["answer"] == "yes"


def test_stopped_and_finished_executions_stay_so_after_a_kill(killable: EngineProcess) -> None:
    stopped = start(killable.client, "approval", "stopped", effects=str(killable.folder))
    killable.client.stop_durable_execution(
        DurableExecutionArn=stopped, Error={"ErrorType": "Withdrawn"}
    )
    finished = start(killable.client, "echo-durable", "finished")
    ended(killable.client, finished)
    assert killable.restart().recovered == 0
    assert ended(killable.client, stopped)["Error"]["ErrorType"] == "Withdrawn"
    assert ended(killable.client, finished)["Status"] == "SUCCEEDED"


class Persistent:
    """A sender that tries again until the engine answers, as the outbox does."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.client = client_for(f"http://127.0.0.1:{port}")

    def start(self, number: int) -> str:
        """Start execution ``number``: every other one is a chain, the rest wait for a person."""
        function, name = ("chain", "approval")[number % 2], f"x{number}"
        return str(
            self._insist(
                lambda: start(self.client, function, name, effects=str(self.folder), pause=0.01)
            )
        )

    def answer(self, number: int) -> None:
        """Answer the callback of execution ``number``, if it has one."""
        if number % 2:
            callback_id = callback_of(self.folder, f"x{number}")
            self._insist(
                lambda: self.client.send_durable_execution_callback_success(
                    CallbackId=callback_id, Result=b"yes"
                )
            )

    def status(self, arn: str) -> str:
        """The status of an execution."""
        details = self._insist(lambda: self.client.get_durable_execution(DurableExecutionArn=arn))
        return str(details["Status"])

    def _insist(self, ask: Any) -> Any:
        def attempt() -> Any:
            try:
                return ask()
            except self.client.exceptions.CallbackTimeoutException:
                # The answer before this one arrived; only its receipt was lost.
                return True
            except ClientError as error:
                assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 500  # noqa: PT017
                return None
            except BotoCoreError:
                return None

        return eventually(attempt, what="the engine answers")


@pytest.mark.long
@pytest.mark.parametrize("seed", [1])
def test_many_executions_with_random_kills_all_end_and_none_twice(
    killable: EngineProcess, seed: int
) -> None:
    chance = random.Random(seed)
    number_of_executions, kills = size(short=40, long=200), size(short=3, long=6)
    senders = [Persistent(killable.folder, killable.port) for _ in range(4)]

    def send(number: int) -> str:
        sender = senders[number % 4]
        arn = sender.start(number)
        sender.answer(number)
        return arn

    with ThreadPoolExecutor(8) as pool:
        sending = [pool.submit(send, number) for number in range(number_of_executions)]
        for _ in range(kills):
            time.sleep(chance.uniform(0.1, 1.2))  # the moment of the kill is the test's chance
            killable.restart()
        arns = [future.result(timeout=60) for future in sending]

    assert len(set(arns)) == number_of_executions
    for number, arn in enumerate(arns):
        eventually(
            lambda arn=arn: senders[0].status(arn) == "SUCCEEDED",
            what=f"execution {number} succeeds",
        )
    effects = (killable.folder / "effects.log").read_text().splitlines()
    expected = {
        f"x{number}.{key}"
        for number in range(number_of_executions)
        for key in (("before", "after") if number % 2 else [f"step{step}" for step in range(5)])
    }
    assert set(effects) == expected
    assert all((killable.folder / effect).exists() for effect in expected)
    # A step runs again only if it was under way, or not yet written down, at a kill.
    assert len(effects) - len(expected) <= kills * HANDLER_THREADS
    for function in ("approval", "chain"):
        listed = killable.client.list_durable_executions_by_function(
            FunctionName=function, MaxItems=1000
        )
        assert len(listed["DurableExecutions"]) == number_of_executions // 2
