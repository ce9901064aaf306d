"""``context.invoke`` of durable and plain functions, over HTTP with boto3."""

import json
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from functions.local.database import Database
from functions.local.engine import LocalEngine
from functions.local.patched_executor import LocalExecutor
from tests.functions.local.faults import FaultyConnection
from tests.functions.local.handlers import FUNCTIONS, runs
from tests.functions.local.support import callback_of, client_for, ended, history_of, start
from tests.sizes import size
from tests.waiting import eventually

ARN = "arn:aws:lambda:us-west-2:123456789012:function"


def call(client: Any, name: str, function: str, **payload: Any) -> str:
    """Start an execution that invokes a function; return its ARN."""
    return start(client, "calling", name, target=function, payload=payload)


def outcome(client: Any, arn: str) -> Any:
    """Return what came of the invoke, awaited."""
    return json.loads(ended(client, arn)["Result"])


def chained(client: Any, arn: str) -> list[tuple[str, dict[str, Any]]]:
    """Kinds and details of the events about chained invokes."""
    events = client.get_durable_execution_history(DurableExecutionArn=arn)["Events"]
    kinds = [(event["EventType"], event) for event in events]
    return [(kind, each[f"{kind}Details"]) for kind, each in kinds if kind.startswith("Chained")]


def child_of(client: Any, arn: str) -> str:
    """The execution that a chained invoke has started, awaited."""
    return str(
        eventually(
            lambda: next(
                (details["DurableExecutionArn"] for _, details in chained(client, arn)), None
            )
        )
    )


def test_durable_target_is_an_execution_and_its_result_that_of_the_invoke(client: Any) -> None:
    arn = call(client, "durable", "echo-durable:live", n=4)
    assert outcome(client, arn) == {"n": 4}
    (_, started), (kind, succeeded) = chained(client, arn)
    child = started.pop("DurableExecutionArn")
    assert child.startswith(f"{ARN}:echo-durable:$LATEST/durable-execution/")
    assert started == {
        "FunctionName": "echo-durable:live",
        "Input": {"Payload": '{"n": 4}', "Truncated": False},
        "ExecutedVersion": "$LATEST",
    }
    assert kind == "ChainedInvokeSucceeded"
    assert json.loads(succeeded["Result"]["Payload"]) == {"n": 4}
    details = client.get_durable_execution(DurableExecutionArn=child)
    assert (details["Status"], json.loads(details["InputPayload"])) == ("SUCCEEDED", {"n": 4})


@pytest.mark.parametrize("target", ["echo", "echo-durable:live", "failing:live"])
def test_events_are_in_the_order_of_aws(client: Any, target: str) -> None:
    """As cases 5-1 and 5-10 of AWS's conformance tests have them, which match by number."""
    arn = call(client, f"ordered-{target.partition(':')[0]}", target)
    end = "ChainedInvokeFailed" if target == "failing:live" else "ChainedInvokeSucceeded"
    ended(client, arn)
    assert history_of(client, arn) == [
        "ExecutionStarted",
        "ChainedInvokeStarted",
        "InvocationCompleted",
        end,
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]


@pytest.mark.parametrize("name", ["echo", "echo:1", f"{ARN}:echo:live", "function:echo"])
def test_plain_target_is_run_and_its_result_that_of_the_invoke(client: Any, name: str) -> None:
    arn = call(client, f"plain-{len(name)}", name, n=5)
    assert outcome(client, arn) == {"n": 5}
    (_, started), _ = chained(client, arn)
    assert "DurableExecutionArn" not in started
    assert started["ExecutedVersion"] == ("1" if name == "echo:1" else "$LATEST")


def test_tenant_reaches_the_target_and_the_history(client: Any) -> None:
    arn = start(client, "calling", "tenant", target="who", payload={}, tenant="blue")
    assert outcome(client, arn)["tenant_id"] == "blue"
    (_, started), _ = chained(client, arn)
    assert started["TenantId"] == "blue"


def test_target_that_fails_raises_its_error(client: Any) -> None:
    durable = call(client, "fails", "failing:live", why="too poor")
    plain = call(client, "breaks", "broken")
    assert outcome(client, durable) == {"type": "ValueError", "message": "too poor"}
    assert outcome(client, plain) == {"type": "KeyError", "message": "'missing'"}
    assert [kind for kind, _ in chained(client, plain)][1:] == ["ChainedInvokeFailed"]


def test_target_that_cannot_be_invoked_fails_at_the_checkpoint(client: Any) -> None:
    unqualified = call(client, "unqualified", "echo-durable")
    unknown = call(client, "unknown", "nobody:live")
    assert outcome(client, unqualified) == {
        "type": "InvalidParameterValueException",
        "message": "You cannot invoke a durable function using an unqualified ARN.",
    }
    assert outcome(client, unknown) == {
        "type": "ResourceNotFoundException",
        "message": f"Function not found: {ARN}:nobody:live",
    }
    (_, started), (kind, _) = chained(client, unknown)
    assert (started, kind) == ({"FunctionName": "nobody:live"}, "ChainedInvokeFailed")


def test_target_of_another_account_or_region_fails_the_execution(client: Any) -> None:
    for name, other in [("123456789012", "999999999999"), ("us-west-2", "eu-west-1")]:
        arn = call(client, f"not-{name}", f"{ARN}:echo".replace(name, other))
        sentence = ended(client, arn)["Error"]["ErrorMessage"]
        assert "InvalidParameterValueException" in sentence
        assert "Cannot start a CHAINED_INVOKE on a function in another" in sentence


def test_stopped_and_overdue_targets_are_errors_of_their_own(client: Any, tmp_path: Path) -> None:
    overdue = call(client, "overdue", "hasty:live", id="overdue", effects=str(tmp_path))
    arn = call(client, "stopped", "approval:live", id="stopped", effects=str(tmp_path))
    client.stop_durable_execution(
        DurableExecutionArn=child_of(client, arn), Error={"ErrorType": "Over", "ErrorMessage": "so"}
    )
    assert outcome(client, arn) == {"type": "Over", "message": "so"}
    assert [kind for kind, _ in chained(client, arn)][1:] == ["ChainedInvokeStopped"]
    assert outcome(client, overdue) == {
        "type": "ChainedInvoke.Timeout",
        "message": "CHAINED_INVOKE timed out after 1 seconds.",
    }
    assert [kind for kind, _ in chained(client, overdue)][1:] == ["ChainedInvokeTimedOut"]


def test_end_of_the_parent_leaves_its_target_alone(client: Any, tmp_path: Path) -> None:
    arn = call(client, "parent", "approval:live", id="parent", effects=str(tmp_path))
    child = child_of(client, arn)
    client.stop_durable_execution(DurableExecutionArn=arn)
    client.send_durable_execution_callback_success(
        CallbackId=callback_of(tmp_path, "parent"), Result=b"yes"
    )
    assert ended(client, child)["Status"] == "SUCCEEDED"
    assert client.get_durable_execution(DurableExecutionArn=arn)["Status"] == "STOPPED"


def test_parent_and_targets_go_on_after_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    common = {"effects": str(tmp_path)}
    with LocalEngine(functions=FUNCTIONS, data=data) as engine:
        client = client_for(engine.url)
        with monkeypatch.context() as deaf:
            # The target's end is on disk, but the process dies before its parent hears of it.
            deaf.setattr(LocalExecutor, "_notify_parent_of_terminal_child", lambda *_: None)
            unheard = call(client, "unheard", "echo-durable:live", n=6)
            ended(client, child_of(client, unheard))
        waits = call(client, "waits", "approval:live", id="waits", **common)
        callback_id = callback_of(tmp_path, "waits")
        plain = call(client, "lost", "held", id="lost", **common)
        eventually((tmp_path / "lost.held.runs").exists)
        eventually(lambda: engine.tracked()["queues"] == 0)
        shutil.copytree(data, copy, ignore=shutil.ignore_patterns("*lock*"))
        (tmp_path / "lost.gate").touch()
    with LocalEngine(functions=FUNCTIONS, data=copy) as engine:
        client = client_for(engine.url)
        assert outcome(client, unheard) == {"n": 6}
        client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")
        assert outcome(client, waits)["answer"] == "yes"
        assert outcome(client, plain) is None
        assert runs(tmp_path, "lost", "held") == 2
        eventually(lambda: not any(engine.tracked().values()), what="nothing is left behind")


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalEngine]:
    """An engine on a disk that works until it is told otherwise."""
    monkeypatch.setattr(Database, "connection_class", FaultyConnection)
    FaultyConnection.disk.begin()
    with LocalEngine(functions=FUNCTIONS, data=tmp_path / "data") as engine:
        yield engine
        FaultyConnection.disk.begin()


@pytest.mark.long
def test_each_write_in_turn_may_fail(faulty: LocalEngine) -> None:
    client, disk = client_for(faulty.url), FaultyConnection.disk

    def carry(name: str) -> None:
        for number, function in enumerate(["echo-durable:live", "echo"]):
            try:
                arn = call(client, f"{name}-{number}", function, n=name)
            except client.exceptions.ServiceException:  # it is the start that was refused
                arn = call(client, f"{name}-{number}", function, n=name)
            assert outcome(client, arn) == {"n": name}
        eventually(lambda: not any(faulty.tracked().values()), what="nothing is left behind")

    disk.begin()
    carry("first")
    # What is written together depends on the moment: it ends with the first that is not reached.
    for number in count(3, size(short=13, long=2)):
        disk.begin(at=number)
        carry(f"at-{number}")
        if not disk.refused:
            break
    assert number > 15
