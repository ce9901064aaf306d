"""Ended executions and dead events go after the retention time, and the file gets smaller."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from functions.local.engine import LocalEngine
from functions.local.function import Function
from tests.functions.local.handlers import FUNCTIONS, echo_durable
from tests.functions.local.support import callback_of, client_for, ended, start
from tests.functions.local.test_wall_clock import LeapingClock
from tests.waiting import eventually

MANY = 30
LETTER = "x" * 50_000  # in the payload, in a step and in the result


def engine_on(folder: Path, clock: LeapingClock) -> LocalEngine:
    functions = {**FUNCTIONS, "long-kept": Function(echo_durable, durable=True, retention_days=90)}
    return LocalEngine(
        functions=functions, data=folder / "data", clock=clock, event_retry_delays=()
    )


def listed(client: Any, function: str) -> int:
    found = client.list_durable_executions_by_function(FunctionName=function, MaxItems=1000)
    return len(found["DurableExecutions"])


def test_what_is_over_goes_names_stay_and_the_file_shrinks(tmp_path: Path) -> None:
    clock = LeapingClock()
    file = tmp_path / "data" / "engine.db"
    with engine_on(tmp_path, clock) as engine:
        client = client_for(engine.url)
        waiting = start(client, "approval", "waiting", effects=str(tmp_path))
        callback_id = callback_of(tmp_path, "waiting")
        kept = start(client, "long-kept", "kept")
        with ThreadPoolExecutor(4) as pool:
            arns = list(
                pool.map(
                    lambda n: start(client, "echo-durable", f"n{n}", letter=LETTER), range(MANY)
                )
            )
        for arn in (*arns, kept):
            ended(client, arn)
        client.invoke(FunctionName="broken", InvocationType="Event", Payload=b"{}")
        eventually(lambda: engine._events.counts().get("dead") == 1)
    large = file.stat().st_size
    assert large > MANY * 3 * len(LETTER)

    clock.slept = timedelta(days=15)
    with engine_on(tmp_path, clock) as engine:
        client = client_for(engine.url)
        eventually(lambda: listed(client, "echo-durable") == 0)
        eventually(lambda: file.stat().st_size < large / 10, what="the file gets smaller")
        eventually(lambda: engine._events.counts() == {})
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.get_durable_execution(DurableExecutionArn=arns[0])
        # Unique for ever: the same start is known and not made again, another one is refused.
        assert start(client, "echo-durable", "n0", letter=LETTER) == arns[0]
        with pytest.raises(client.exceptions.DurableExecutionAlreadyStartedException):
            start(client, "echo-durable", "n0", letter="another")
        assert listed(client, "echo-durable") == 0
        assert listed(client, "long-kept") == 1
        client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")
        assert json.loads(ended(client, waiting)["Result"])["answer"] == "yes"

    with engine_on(tmp_path, clock) as engine:
        assert engine.recovered.total == 0
