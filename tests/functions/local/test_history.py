"""GetDurableExecutionHistory: complete events, over HTTP with boto3."""

import base64
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aws_durable_execution_sdk_python_testing.runner import DurableFunctionCloudTestRunner
from botocore.model import ListShape, Shape, StructureShape

from functions.local.database import Database
from functions.local.engine import LocalEngine
from functions.local.history import MARKER_LIFE, page_of
from tests.functions.local.handlers import FUNCTIONS
from tests.functions.local.support import callback_of, client_for, ended, start
from tests.waiting import eventually


def history(client: Any, arn: str, **options: Any) -> list[dict[str, Any]]:
    """All events of an execution."""
    found: list[dict[str, Any]] = client.get_durable_execution_history(
        DurableExecutionArn=arn, MaxItems=1000, **options
    )["Events"]
    return found


def of(events: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    """The details of the events of some kinds, in order."""
    return [
        event[f"{event['EventType']}Details"] for event in events if event["EventType"] in kinds
    ]


def missing(shape: Shape, value: Any, at: str) -> list[str]:
    """Members that AWS's description requires, or does not know."""
    found: list[str] = []
    if isinstance(shape, StructureShape):
        found += [f"{at}.{name} is missing" for name in shape.required_members if name not in value]
        for name, each in value.items():
            if name in shape.members:
                found += missing(shape.members[name], each, f"{at}.{name}")
            else:
                found.append(f"{at}.{name} is unknown")
    if isinstance(shape, ListShape):
        for each in value:
            found += missing(shape.member, each, f"{at}.{each.get('EventType', '')}")
    return found


@pytest.fixture(scope="module")
def arns(client: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Executions that have ended, begun together; two of them wait for a second."""
    folder = tmp_path_factory.mktemp("history")
    effects = str(folder)
    found = {
        "stumbling": start(client, "stumbling", "stumbling", effects=effects, delay=1),
        "polling": start(client, "polling", "polling", wanted=2),
        "raising": start(client, "raising", "raising", effects=effects, failures=1),
        "quitting": start(client, "quitting", "quitting", effects=effects),
        "failing": start(client, "failing", "failing", why="no money"),
        "paused": start(client, "approval", "paused", effects=effects, heartbeat=60),
    }
    pause = {"DurableExecutionArn": found["paused"]}
    callback_id = callback_of(folder, "paused")
    client.pause_durable_execution(**pause, Reason="a question", ExecutionTimeoutPaused=False)
    client.resume_durable_execution(**pause, Reason="an answer")
    client.pause_durable_execution(**pause)
    client.resume_durable_execution(**pause)
    client.send_durable_execution_callback_failure(
        CallbackId=callback_id, Error={"ErrorType": "Declined", "ErrorMessage": "a secret"}
    )
    for arn in found.values():
        ended(client, arn)
    return found


def test_step_that_succeeds_after_a_retry_tells_its_attempts(
    client: Any, arns: dict[str, str]
) -> None:
    failed, succeeded = of(history(client, arns["stumbling"]), "StepFailed", "StepSucceeded")
    assert failed["RetryDetails"] == {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 1}
    assert failed["Error"]["Payload"]["ErrorMessage"] == "the first try fails"
    assert succeeded == {
        "Result": {"Payload": "2", "Truncated": False},
        "RetryDetails": {"CurrentAttempt": 2},
    }


def test_polls_tell_what_each_found(client: Any, arns: dict[str, str]) -> None:
    first, last = of(history(client, arns["polling"]), "StepSucceeded")
    assert first == {
        "Result": {"Payload": "1", "Truncated": False},
        "RetryDetails": {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 1},
    }
    assert last == {
        "Result": {"Payload": "2", "Truncated": False},
        "RetryDetails": {"CurrentAttempt": 2},
    }


def test_invocation_that_raised_is_completed_with_its_error(
    client: Any, arns: dict[str, str]
) -> None:
    raised, succeeded = of(history(client, arns["raising"]), "InvocationCompleted")
    assert raised["Error"]["Payload"]["ErrorMessage"] == "the sandbox died"
    assert "Error" not in succeeded
    assert raised["RequestId"] != succeeded["RequestId"]
    assert raised["StartTimestamp"] <= raised["EndTimestamp"] <= succeeded["StartTimestamp"]


def test_invocation_that_exits_is_completed_with_its_error_and_repeated(
    client: Any, arns: dict[str, str]
) -> None:
    exited, succeeded = of(history(client, arns["quitting"]), "InvocationCompleted")
    assert exited["Error"]["Payload"] == {
        "ErrorType": "Runtime.ExitError",
        "ErrorMessage": f"RequestId: {exited['RequestId']} Error: Runtime exited with error: "
        "exit status 3",
    }
    assert "Error" not in succeeded
    assert ended(client, arns["quitting"])["Result"] == "2"


def test_invocation_that_failed_the_execution_has_its_error(
    client: Any, arns: dict[str, str]
) -> None:
    events = history(client, arns["failing"])
    assert [event["EventType"] for event in events[-2:]] == [
        "InvocationCompleted",
        "ExecutionFailed",
    ]
    (completed,) = of(events, "InvocationCompleted")
    assert completed["Error"]["Payload"] == {"ErrorType": "ValueError", "ErrorMessage": "no money"}


def test_pauses_are_events_with_their_reasons(client: Any, arns: dict[str, str]) -> None:
    events = history(client, arns["paused"])
    first, resumed, second, again = of(events, "ExecutionPaused", "ExecutionResumed")
    assert first["Reason"] == {"Payload": "a question", "Truncated": False}
    assert first["ExecutionTimeoutPaused"] is False
    assert resumed["Reason"] == {"Payload": "an answer", "Truncated": False}
    assert "Reason" not in second
    assert second["ExecutionTimeoutPaused"] is True
    asked = [first["PauseRequestTimestamp"], resumed["ResumeRequestTimestamp"]]
    asked += [second["PauseRequestTimestamp"], again["ResumeRequestTimestamp"]]
    assert asked == sorted(asked)
    (started,) = [event for event in events if event["EventType"] == "ExecutionStarted"]
    (pause, _) = [event for event in events if event["EventType"] == "ExecutionPaused"]
    assert (pause["Id"], pause["Name"]) == (started["Id"], "paused")


def test_callback_tells_its_timeouts(client: Any, arns: dict[str, str]) -> None:
    (started,) = of(history(client, arns["paused"]), "CallbackStarted")
    assert started["HeartbeatTimeout"] == 60
    assert "Timeout" not in started


def test_runner_of_aws_for_deployed_functions_reads_it(
    engine: LocalEngine, arns: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    runner = DurableFunctionCloudTestRunner("stumbling:live", lambda_endpoint=engine.url)
    result = runner.wait_for_result(arns["stumbling"], timeout=5)
    step = result.get_step("stumbling")
    assert (step.attempt, step.result, result.result) == (2, "2", "2")


def test_all_events_are_as_the_description_has_them(client: Any, arns: dict[str, str]) -> None:
    shape = client.meta.service_model.shape_for("Events")
    for arn in arns.values():
        for with_data in (True, False):
            events = history(client, arn, IncludeExecutionData=with_data)
            assert missing(shape, events, "Events") == []
            assert [event["EventId"] for event in events] == list(range(1, len(events) + 1))


def test_no_data_are_shown_when_none_are_asked_for(client: Any, arns: dict[str, str]) -> None:
    for arn in arns.values():
        bare = json.dumps(history(client, arn, IncludeExecutionData=False), default=str)
        assert "Payload" not in bare
        assert '"Truncated": true' in bare
    assert "a secret" in json.dumps(history(client, arns["paused"]), default=str)


def test_pages_are_those_of_the_whole_in_both_directions(client: Any, arns: dict[str, str]) -> None:
    whole = history(client, arns["paused"])
    for newest_first in (False, True):
        found, options = [], {"ReverseOrder": newest_first, "MaxItems": 3}
        while True:
            page = client.get_durable_execution_history(
                DurableExecutionArn=arns["paused"], **options
            )
            assert len(page["Events"]) <= 3
            found += page["Events"]
            if "NextMarker" not in page:
                break
            options["Marker"] = page["NextMarker"]
        assert found == (whole[::-1] if newest_first else whole)


@pytest.mark.parametrize(
    "marker",
    ["nonsense", "3", "é", *(base64.b64encode(text).decode() for text in (b"[]", b"[1,2,3,4]"))],
)
def test_marker_that_is_none_is_refused(client: Any, arns: dict[str, str], marker: str) -> None:
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="Invalid Marker"):
        history(client, arns["paused"], Marker=marker)


def test_marker_is_for_its_direction_and_for_a_day() -> None:
    events = [{"EventId": number} for number in (1, 2, 3)]
    now = datetime(2026, 11, 29, tzinfo=UTC)
    options = {"newest_first": False, "size": 1, "now": now}
    marker = page_of(events, marker=None, **options)["NextMarker"]
    assert page_of(events, marker=marker, **options)["Events"] == [{"EventId": 2}]
    for other in ({"newest_first": True}, {"now": now + MARKER_LIFE + timedelta(seconds=1)}):
        with pytest.raises(Exception, match="Invalid Marker"):
            page_of(events, marker=marker, **{**options, **other})


def test_file_of_an_older_engine_gets_room_for_the_reason_of_a_resume(tmp_path: Path) -> None:
    older = Database(tmp_path / "engine.db")
    older.write("ALTER TABLE pauses DROP COLUMN resume_reason")
    older.close()
    newer = Database(tmp_path / "engine.db")
    assert newer.read("SELECT resume_reason FROM pauses") == []
    newer.close()


def test_invocation_that_takes_too_long_is_completed_with_its_error(tmp_path: Path) -> None:
    with LocalEngine(functions=FUNCTIONS, data=tmp_path / "data") as engine:
        client = client_for(engine.url)
        engine._executor._invocation_timeout_seconds = 1
        arn = start(client, "gated", "slow", effects=str(tmp_path))
        (late,) = eventually(lambda: of(history(client, arn), "InvocationCompleted")) or ()
        (tmp_path / "slow.gate").touch()
        assert late["Error"]["Payload"] == {
            "ErrorType": "Sandbox.Timedout",
            "ErrorMessage": f"RequestId: {late['RequestId']} Error: Task timed out after "
            "1.00 seconds",
        }
        client.stop_durable_execution(DurableExecutionArn=arn)


def test_invocation_that_died_is_completed_with_its_error(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    with LocalEngine(functions=FUNCTIONS, data=data) as engine:
        arn = start(client_for(engine.url), "gated", "died", effects=str(tmp_path))
        eventually((tmp_path / "died.gated.runs").exists)
        # What a process leaves that is killed now.
        shutil.copytree(data, copy, ignore=shutil.ignore_patterns("*lock*"))
        (tmp_path / "died.gate").touch()
    with LocalEngine(functions=FUNCTIONS, data=copy) as engine:
        client = client_for(engine.url)
        assert ended(client, arn)["Status"] == "SUCCEEDED"
        died, succeeded = of(history(client, arn), "InvocationCompleted")
        assert died["Error"]["Payload"]["ErrorType"] == "Runtime.ExitError"
        assert died["StartTimestamp"] < died["EndTimestamp"] < succeeded["EndTimestamp"]
        assert "Error" not in succeeded
