"""The limits of one execution over HTTP, and again after a restart: operations and written data."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import batched
from pathlib import Path
from typing import Any

import pytest

from functions.local import limits
from functions.local.engine import LocalEngine
from functions.local.limits import MB
from tests.functions.local.handlers import FUNCTIONS, RAW_GATE, TOKENS
from tests.functions.local.support import client_for, ended
from tests.functions.local.test_checkpoint_protocol import Handler
from tests.sizes import size
from tests.waiting import eventually

pytestmark = pytest.mark.long


@contextmanager
def engine_on(folder: Path) -> Iterator[LocalEngine]:
    RAW_GATE.clear()
    with LocalEngine(functions=FUNCTIONS, data=folder) as engine:
        try:
            yield engine
        finally:
            RAW_GATE.set()


def step(number: int, payload: str) -> dict[str, Any]:
    return {"Id": f"s{number}", "Type": "STEP", "Action": "SUCCEED", "Payload": payload}


def fill(handler: Handler, steps: int, payload: str, *, at_once: int) -> None:
    for numbers in batched(range(steps), at_once, strict=False):
        handler.checkpoint(*(step(number, payload) for number in numbers))


def assert_refused(handler: Handler, update: dict[str, Any], sentence: str) -> None:
    with pytest.raises(handler.client.exceptions.InvalidParameterValueException, match=sentence):
        handler.checkpoint(update)


def invoked_again(handler: Handler, engine: LocalEngine) -> None:
    """Let the handler go on in the next engine, which has invoked it again."""
    handler.client = client_for(engine.url)
    eventually(lambda: handler.arn in TOKENS, seconds=240, what="it is replayed")
    handler.token = TOKENS[handler.arn]


# In the short run a tenth of the operations that AWS allows.
OPERATIONS = size(short=limits.OPERATIONS.most // 10, long=limits.OPERATIONS.most)
LIMITS = [
    pytest.param(OPERATIONS, "1", 500, "1", f"at most {OPERATIONS} operations", id="operations"),
    pytest.param(limits.WRITTEN.most // MB, "p" * MB, 8, "p", str(limits.WRITTEN.most), id="data"),
]


@pytest.mark.parametrize(
    ("steps", "payload", "at_once", "over", "sentence"), LIMITS[: size(short=1, long=2)]
)
def test_execution_takes_what_the_limit_allows_and_one_over_is_refused_after_a_restart_too(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
    payload: str,
    at_once: int,
    over: str,
    sentence: str,
) -> None:
    monkeypatch.setattr(limits, "OPERATIONS", replace(limits.OPERATIONS, most=OPERATIONS))
    with engine_on(tmp_path) as engine:
        handler = Handler(client_for(engine.url), "full")
        fill(handler, steps, payload, at_once=at_once)
        assert_refused(handler, step(steps, over), sentence)
        pages = handler.client.get_paginator("get_durable_execution_history")
        found = pages.paginate(DurableExecutionArn=handler.arn, IncludeExecutionData=False)
        kinds = [event["EventType"] for page in found for event in page["Events"]]
        assert kinds.count("StepSucceeded") == steps
        TOKENS.pop(handler.arn)
        engine.stop(grace=0)
    with engine_on(tmp_path) as engine:
        invoked_again(handler, engine)
        assert_refused(handler, step(steps, over), sentence)
        RAW_GATE.set()
        assert ended(handler.client, handler.arn, seconds=240)["Status"] == "SUCCEEDED"
