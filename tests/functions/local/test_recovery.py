"""Recovery of many executions: the engine serves meanwhile, and what is due first goes first."""

import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import urllib3

from functions.local.database import Database
from functions.local.engine import LocalEngine
from functions.local.local_execution import LocalExecution
from functions.local.recovery import Recovery
from functions.local.store import WriteThroughStore
from tests.functions.local.handlers import FUNCTIONS, runs
from tests.functions.local.support import callback_of, client_for, ended, start
from tests.waiting import eventually


class Counted(sqlite3.Connection):
    """A connection that counts how often the data of each execution is read."""

    reads: Counter[str] = Counter()

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql.startswith("SELECT data FROM executions"):
            self.reads[parameters[0][0]] += 1
        return super().execute(sql, *parameters)


def engine_on(folder: Path, invoked: list[str] | None = None) -> LocalEngine:
    """An engine of one thread; ``invoked`` gets the ARN of each execution that it invokes."""

    def recorded(handler: Callable[..., Any]) -> Callable[..., Any]:
        def call(event: Any, context: Any) -> Any:
            if invoked is not None:
                invoked.append(event.durable_execution_arn)
            return handler(event, context)

        return call

    functions = {
        name: replace(function, handler=recorded(function.handler))
        for name, function in FUNCTIONS.items()
        if function.durable
    }
    return LocalEngine(
        functions=functions | {"echo": FUNCTIONS["echo"]}, data=folder / "data", handler_threads=1
    )


def health(engine: LocalEngine) -> dict[str, Any]:
    answer = urllib3.request("GET", f"{engine.url}/health")
    assert answer.status == 200
    return dict(answer.json())


@pytest.fixture
def waiting(tmp_path: Path) -> dict[str, str]:
    """Executions that wait for something, and one in a step, in a stopped engine."""
    common = {"effects": str(tmp_path)}
    with engine_on(tmp_path) as engine:
        client = client_for(engine.url)
        arns = {
            name: start(client, function, name, **common, **event)
            for name, function, event in (
                ("in-3000", "sleeper", {"seconds": 3000}),
                ("never", "approval", {}),
                ("in-1000", "sleeper", {"seconds": 1000}),
                ("in-2000", "approval", {"timeout": 2000}),
                ("in-1500", "approval", {"heartbeat": 1500}),
            )
        }
        eventually(lambda: engine.tracked()["wake-ups"] == 2)
        for name in ("never", "in-1500", "in-2000"):
            callback_of(tmp_path, name)
        eventually(lambda: engine.tracked()["queues"] == 0)
        arns["at-work"] = start(client, "gated", "at-work", **common)
        eventually(lambda: runs(tmp_path, "at-work", "gated") == 1)
        engine.stop(grace=0)
    (tmp_path / "at-work.gate").touch()
    return arns


IN_ORDER = ["at-work", "in-1000", "in-1500", "in-2000", "in-3000", "never"]


def test_each_execution_is_read_once_and_replayed_in_the_order_of_what_is_due(
    waiting: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Database, "connection_class", Counted)
    Counted.reads.clear()
    invoked: list[str] = []
    with engine_on(tmp_path, invoked) as engine:
        assert engine.recovered.executions == len(waiting)
        eventually(lambda: health(engine)["recovering"] == 0)
        names = {arn: name for name, arn in waiting.items()}
        assert [names[arn] for arn in invoked] == IN_ORDER
        assert Counted.reads == Counter(waiting.values())
        tracked = engine.tracked()
        assert (tracked["callback timeouts"], tracked["callback heartbeats"]) == (1, 1)
        assert (tracked["wake-ups"], tracked["executions"]) == (2, 5)


def test_serves_before_it_has_read_what_it_carries(
    waiting: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_read, read = threading.Event(), WriteThroughStore._read

    def held(store: WriteThroughStore, arn: str) -> LocalExecution:
        assert may_read.wait(30)
        return read(store, arn)

    monkeypatch.setattr(WriteThroughStore, "_read", held)
    invoked: list[str] = []
    with engine_on(tmp_path, invoked) as engine:
        body = health(engine)
        assert (body["status"], body["recovering"]) == ("ok", len(waiting))
        client = client_for(engine.url)
        assert json.load(client.invoke(FunctionName="echo", Payload=b'"now"')["Payload"]) == "now"
        new = start(client, "echo-durable", "new")
        assert ended(client, new)["Status"] == "SUCCEEDED"
        assert invoked == [new]
        may_read.set()
        eventually(lambda: health(engine)["recovering"] == 0)
        assert sorted(invoked[1:]) == sorted(waiting.values())


def test_start_during_the_recovery_waits_for_the_replay_under_way_only(
    waiting: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "at-work.gate").unlink()
    invoked: list[str] = []
    with engine_on(tmp_path, invoked) as engine:
        eventually(lambda: runs(tmp_path, "at-work", "gated") == 2)
        client = client_for(engine.url)
        new = start(client, "echo-durable", "new")
        eventually(lambda: engine.tracked()["queues"] == 2, what="both are under way")
        assert health(engine)["recovering"] == len(waiting)
        (tmp_path / "at-work.gate").touch()
        eventually(lambda: health(engine)["recovering"] == 0)
        assert invoked[:2] == [waiting["at-work"], new]
        assert ended(client, new)["Status"] == "SUCCEEDED"


def test_answer_before_its_turn_is_kept_and_the_execution_goes_on_when_its_timers_are_back(
    waiting: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_order, in_order = threading.Event(), Recovery._in_order

    def held(recovery: Recovery, unfinished: list[str]) -> list[str]:
        assert may_order.wait(30)
        return in_order(recovery, unfinished)

    monkeypatch.setattr(Recovery, "_in_order", held)
    invoked: list[str] = []
    with engine_on(tmp_path, invoked) as engine:
        client = client_for(engine.url)
        client.send_durable_execution_callback_success(
            CallbackId=callback_of(tmp_path, "never"), Result=b"yes"
        )
        client.stop_durable_execution(DurableExecutionArn=waiting["in-2000"])
        eventually(lambda: engine.tracked()["queues"] == 0)
        assert invoked == []
        may_order.set()
        assert json.loads(ended(client, waiting["never"])["Result"])["answer"] == "yes"
        eventually(lambda: health(engine)["recovering"] == 0)
        assert invoked.count(waiting["never"]) == 1
        assert waiting["in-2000"] not in invoked
