"""A write that the disk refuses has changed nothing, and nothing stands still because of it."""

import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.local import database
from functions.local.database import Database
from functions.local.engine import LocalEngine
from tests.functions.local.faults import FaultyConnection, full
from tests.functions.local.handlers import FUNCTIONS, runs
from tests.functions.local.support import EngineProcess, callback_of, client_for, ended, start
from tests.sizes import LONG, size
from tests.waiting import eventually

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit")


def refused(call: Callable[..., Any], **arguments: Any) -> str:
    """The type of the error that a call is answered with, which is a fault of the service."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 500, response
    return str(response["Error"]["Code"])


@on_linux
def test_answer_that_a_full_disk_refused_is_taken_when_there_is_room(
    killable: EngineProcess,
) -> None:
    client, folder = killable.client, killable.folder
    arn = start(client, "approval", "answer", effects=str(folder))
    answer = {"CallbackId": callback_of(folder, "answer"), "Result": b"yes"}
    with full(killable.pid, killable.folder / "data"):
        for _ in range(2):
            assert (
                refused(client.send_durable_execution_callback_success, **answer)
                == "ServiceException"
            )
        status, body = killable.health()
        assert (status, body["status"]) == (503, "cannot write")
        assert "full" in body["storage"] or "I/O" in body["storage"], body
        assert refused(client.invoke, FunctionName="echo", InvocationType="DryRun")
        assert refused(
            client.invoke,
            FunctionName="approval:live",
            InvocationType="Event",
            DurableExecutionName="refused",
            Payload=b"{}",
        )
    client.send_durable_execution_callback_success(**answer)
    assert killable.health()[0] == 200
    killable.restart()
    assert json.loads(ended(client, arn)["Result"])["answer"] == "yes"
    listed = client.list_durable_executions_by_function(
        FunctionName="approval", DurableExecutionName="refused"
    )
    assert listed["DurableExecutions"] == []


@on_linux
def test_stop_that_a_full_disk_refused_has_not_stopped(killable: EngineProcess) -> None:
    client = killable.client
    arn = start(client, "approval", "stop", effects=str(killable.folder))
    callback_of(killable.folder, "stop")
    with full(killable.pid, killable.folder / "data"):
        for _ in range(2):
            refused(client.stop_durable_execution, DurableExecutionArn=arn)
        assert client.get_durable_execution(DurableExecutionArn=arn)["Status"] == "RUNNING"
    killable.restart()
    assert client.get_durable_execution(DurableExecutionArn=arn)["Status"] == "RUNNING"
    client.stop_durable_execution(DurableExecutionArn=arn)
    killable.restart()
    assert client.get_durable_execution(DurableExecutionArn=arn)["Status"] == "STOPPED"


@on_linux
def test_everything_that_fell_due_while_the_disk_was_full_goes_on_by_itself(
    killable: EngineProcess,
) -> None:
    client, folder = killable.client, killable.folder
    common = {"effects": str(folder)}
    arns = {
        "wait": start(client, "sleeper", "wait", seconds=1, **common),
        "retry": start(client, "stumbling", "retry", delay=1, **common),
        "callback": start(client, "approval", "callback", timeout=1, **common),
        "heartbeat": start(client, "approval", "heartbeat", heartbeat=1, **common),
        "timeout": start(client, "hasty", "timeout", **common),
        "step": start(client, "gated", "step", **common),
    }
    client.invoke(
        FunctionName="held",
        InvocationType="Event",
        Payload=json.dumps({"id": "event", **common}),
    )
    eventually((folder / "wait.asleep").exists)
    eventually(lambda: runs(folder, "retry", "stumbling") == 1)
    eventually(lambda: runs(folder, "step", "gated") == runs(folder, "event", "held") == 1)
    for name in ("callback", "heartbeat", "timeout"):
        callback_of(folder, name)
    with full(killable.pid, killable.folder / "data"):
        for name in ("step", "event"):
            (folder / f"{name}.gate").touch()
        eventually((folder / "event.delivered").exists)
        # By then the timers have struck, and their writes were refused.
        eventually(
            lambda: "timed out" in (folder / "engine.log").read_text().lower(),
            what="the execution's time is over",
        )
        assert killable.health()[0] == 503
    statuses = {name: ended(client, arn)["Status"] for name, arn in arns.items()}
    assert statuses == dict.fromkeys(arns, "SUCCEEDED") | {"timeout": "TIMED_OUT"}
    eventually(lambda: killable.health()[1]["events"] == {"queued": 0, "dead": 0})
    assert runs(folder, "event", "held") == 1


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalEngine]:
    """An engine in this process, on a disk that works until it is told otherwise."""
    monkeypatch.setattr(Database, "connection_class", FaultyConnection)
    monkeypatch.setattr(database, "BUSY_MILLISECONDS", 50)
    FaultyConnection.disk.begin()
    with LocalEngine(
        functions=FUNCTIONS, data=tmp_path / "data", event_retry_delays=(0.05,)
    ) as engine:
        yield engine
        FaultyConnection.disk.begin()


def test_answer_refused_by_a_lock_of_another_process_is_taken_afterwards(
    faulty: LocalEngine, tmp_path: Path
) -> None:
    client = client_for(faulty.url)
    arn = start(client, "approval", "locked", effects=str(tmp_path))
    answer = {"CallbackId": callback_of(tmp_path, "locked"), "Result": b"yes"}
    eventually(lambda: faulty.tracked()["queues"] == 0)
    other = sqlite3.connect(tmp_path / "data" / "engine.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(2):
        refused(client.send_durable_execution_callback_success, **answer)
    assert client.get_durable_execution(DurableExecutionArn=arn)["Status"] == "RUNNING"
    other.execute("ROLLBACK")
    other.close()
    client.send_durable_execution_callback_success(**answer)
    assert json.loads(ended(client, arn)["Result"])["answer"] == "yes"


class Office:
    """A sender that repeats what was refused, and remembers what was acknowledged."""

    def __init__(self, engine: LocalEngine, folder: Path) -> None:
        self.client = client_for(engine.url)
        self.folder = folder
        self.acknowledged: dict[str, tuple[str, str]] = {}  # by name: ARN and expected status

    def carry(self, name: str, kind: int) -> None:
        """Carry one execution to its end: approved, declined, stopped, or of steps only."""
        function = "chain" if kind == 3 else "approval"
        arn = self._insist(start, self.client, function, name, effects=str(self.folder))
        expected = "SUCCEEDED"
        if kind < 3:
            callback_id = callback_of(self.folder, name)
            # After a repeated invocation the step publishes again; the id stays the same.
            if kind == 0:
                self._insist(
                    self.client.send_durable_execution_callback_success,
                    CallbackId=callback_id,
                    Result=name.encode(),
                )
            elif kind == 1:
                self._insist(
                    self.client.send_durable_execution_callback_failure,
                    CallbackId=callback_id,
                    Error={"ErrorType": "No", "ErrorMessage": name},
                )
            else:
                self._insist(self.client.stop_durable_execution, DurableExecutionArn=arn)
                expected = "STOPPED"
        self.acknowledged[name] = (arn, expected)
        ended(self.client, arn)

    def _insist(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Repeat until it is acknowledged; any refusal but a fault of the service is an error."""
        while True:
            try:
                return call(*arguments, **named)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != 500:
                    raise

    def check(self, engine: LocalEngine) -> None:
        """Every acknowledged answer is what the engine has."""
        client = client_for(engine.url)
        for name, (arn, expected) in self.acknowledged.items():
            found = client.get_durable_execution(DurableExecutionArn=arn)
            assert found["Status"] == expected, (name, found)
            if expected == "SUCCEEDED" and "Result" in found:
                result = json.loads(found["Result"])
                assert result == 5 or name in result["answer"], (name, result)


def reopened(engine: LocalEngine, folder: Path) -> LocalEngine:
    """Another engine on the same folder: what it says is what is on disk."""
    engine.stop()
    return LocalEngine(functions=FUNCTIONS, data=folder / "data")


@pytest.mark.long
def test_each_write_in_turn_may_fail_and_every_acknowledged_answer_stands(
    faulty: LocalEngine, tmp_path: Path
) -> None:
    office, disk = Office(faulty, tmp_path), FaultyConnection.disk
    kinds = range(4)
    for kind in kinds:
        disk.begin()
        office.carry(f"k{kind}-0", kind)
        eventually(lambda: faulty.tracked()["queues"] == 0)
        for number in range(1, disk.writes + 1, size(short=6, long=1)):
            disk.begin(at=number)
            office.carry(f"k{kind}-{number}", kind)
            eventually(lambda: not any(faulty.tracked().values()), what="nothing is left behind")
    disk.begin()
    with reopened(faulty, tmp_path) as again:
        assert again.recovered.total == 0
        office.check(again)


@pytest.mark.long
@pytest.mark.parametrize("every", [5, 7, 11, 19, 23] if LONG else [5])
def test_under_load_every_nth_write_may_fail_and_nothing_stands_still(
    faulty: LocalEngine, tmp_path: Path, every: int
) -> None:
    office, disk = Office(faulty, tmp_path), FaultyConnection.disk
    many = size(short=10, long=100)
    disk.begin(every=every)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: office.carry(f"n{number}", number % 4), range(many)))
    eventually(lambda: not any(faulty.tracked().values()), what="nothing is left behind")
    assert disk.refused
    disk.begin()
    assert len(office.acknowledged) == many
    with reopened(faulty, tmp_path) as again:
        assert again.recovered.total == 0
        office.check(again)
