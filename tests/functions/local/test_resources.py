"""Threads and memory stay flat, however many executions wait or have ended."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from functions.local.engine import LocalEngine
from functions.local.store import RECENTLY_ENDED
from tests.functions.local.handlers import FUNCTIONS
from tests.functions.local.support import callback_of, client_for, start
from tests.sizes import size
from tests.waiting import eventually

MANY = size(short=60, long=200)
HANDLER_THREADS = 8
# The scheduler's two, the queues' four, the HTTP server, and the requests in hand.
OTHER_THREADS = 14


@pytest.fixture
def roomy(tmp_path: Path) -> Iterator[LocalEngine]:
    """An engine of its own, with few threads."""
    with LocalEngine(
        functions=FUNCTIONS, data=tmp_path / "data", handler_threads=HANDLER_THREADS
    ) as engine:
        yield engine


@pytest.mark.long
def test_hundreds_of_executions_wait_on_few_threads_and_leave_nothing_behind(
    roomy: LocalEngine, tmp_path: Path
) -> None:
    before = threading.active_count()
    client = client_for(roomy.url)
    names = [f"n{number}" for number in range(MANY)]
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(
            lambda name: start(
                client, "approval", name, effects=str(tmp_path), timeout=3600, heartbeat=600
            ),
            names,
        ):
            pass
        callbacks = list(pool.map(lambda name: callback_of(tmp_path, name), names))
    eventually(lambda: roomy._activity.running == 0)
    eventually(lambda: roomy.tracked()["queues"] == 0, what="idle queues are dropped")
    assert threading.active_count() - before <= HANDLER_THREADS + OTHER_THREADS
    waiting = roomy.tracked()
    assert waiting["executions"] == waiting["execution timeouts"] == MANY
    assert waiting["callback timeouts"] == waiting["callback heartbeats"] == MANY
    eventually(lambda: roomy.tracked()["scheduler tasks"] <= 3 * MANY, what="one of the moment")
    assert waiting["scheduler events"] == 0

    def answer(callback_id: str) -> None:
        client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(answer, callbacks))
    eventually(lambda: not any(roomy.tracked().values()), what="everything is let go")
    assert len(roomy._store._ended) <= RECENTLY_ENDED
    assert threading.active_count() - before <= HANDLER_THREADS + OTHER_THREADS
    assert len((tmp_path / "effects.log").read_text().splitlines()) == 2 * MANY


def test_stopped_executions_and_refused_requests_leave_nothing_behind(
    roomy: LocalEngine, tmp_path: Path
) -> None:
    client = client_for(roomy.url)
    for number in range(10):
        name = f"s{number}"
        arn = start(client, "approval", name, effects=str(tmp_path), timeout=60, heartbeat=60)
        callback_id = callback_of(tmp_path, name)
        client.stop_durable_execution(DurableExecutionArn=arn)
        with pytest.raises(client.exceptions.CallbackTimeoutException):
            client.send_durable_execution_callback_success(CallbackId=callback_id)
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.stop_durable_execution(DurableExecutionArn=arn.replace("/s", "/x"))
    eventually(lambda: not any(roomy.tracked().values()), what="everything is let go")
