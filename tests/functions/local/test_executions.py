"""Reading, listing and controlling executions, over HTTP with boto3."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.functions.local.support import callback_of, ended, start
from tests.waiting import eventually

UNKNOWN = "arn:aws:lambda:us-west-2:123456789012:function:approval:$LATEST/durable-execution/a/b"


def status_of(client: Any, arn: str) -> str:
    """The execution's status."""
    return str(client.get_durable_execution(DurableExecutionArn=arn)["Status"])


def pending(client: Any, folder: Path, name: str, function: str = "approval") -> str:
    """An execution that waits for its callback and runs nothing."""
    arn = start(client, function, name, effects=str(folder))
    callback_of(folder, name)
    eventually(
        lambda: any(
            event["EventType"] == "InvocationCompleted"
            for event in client.get_durable_execution_history(DurableExecutionArn=arn)["Events"]
        ),
        what=f"{name} is suspended",
    )
    return arn


def test_details_are_those_of_the_execution(client: Any, tmp_path: Path) -> None:
    arn = pending(client, tmp_path, "details")
    details = client.get_durable_execution(DurableExecutionArn=arn)
    assert details["DurableExecutionName"] == "details"
    assert details["FunctionArn"].endswith(":function:approval:$LATEST")
    assert json.loads(details["InputPayload"])["id"] == "details"
    assert details["DurableConfig"]["ExecutionTimeout"] == 30 * 86_400
    assert details["ExpectedExecutionTimeoutTimestamp"] - details["StartTimestamp"] == timedelta(
        days=30
    )
    compact = client.get_durable_execution(DurableExecutionArn=arn, IncludeExecutionData=False)
    assert "InputPayload" not in compact
    assert compact["ExecutionDataIncluded"] is False


def test_unknown_execution_is_not_found(client: Any) -> None:
    for ask in (
        client.get_durable_execution,
        client.get_durable_execution_history,
        client.stop_durable_execution,
        client.pause_durable_execution,
        client.resume_durable_execution,
        client.delete_durable_execution,
    ):
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            ask(DurableExecutionArn=UNKNOWN)


def test_history_is_paged_in_both_directions(client: Any) -> None:
    arn = start(client, "echo-durable", "paged")
    ended(client, arn)

    def pages(**order: bool) -> list[int]:
        found: list[int] = []
        marker: dict[str, str] = {}
        while True:
            page = client.get_durable_execution_history(
                DurableExecutionArn=arn, MaxItems=2, **order, **marker
            )
            found += [event["EventId"] for event in page["Events"]]
            if "NextMarker" not in page:
                return found
            marker = {"Marker": page["NextMarker"]}

    forward = pages()
    assert forward == sorted(forward)
    assert len(forward) >= 4
    assert pages(ReverseOrder=True) == forward[::-1]


def test_stop_keeps_its_error_and_a_second_stop_changes_nothing(
    client: Any, tmp_path: Path
) -> None:
    arn = pending(client, tmp_path, "stops")
    first = client.stop_durable_execution(
        DurableExecutionArn=arn,
        Error={"ErrorType": "Withdrawn", "ErrorMessage": "by the applicant"},
    )
    second = client.stop_durable_execution(DurableExecutionArn=arn, Error={"ErrorType": "Other"})
    assert first["StopTimestamp"] == second["StopTimestamp"]
    details = client.get_durable_execution(DurableExecutionArn=arn)
    assert details["Status"] == "STOPPED"
    assert details["Error"] == {"ErrorType": "Withdrawn", "ErrorMessage": "by the applicant"}


def test_stop_during_a_step_stands_when_the_step_ends(client: Any, tmp_path: Path) -> None:
    arn = start(client, "gated", "stop-midway", effects=str(tmp_path))
    eventually((tmp_path / "stop-midway.gated.runs").exists)
    client.stop_durable_execution(DurableExecutionArn=arn)
    (tmp_path / "stop-midway.gate").touch()
    eventually((tmp_path / "stop-midway.passed").exists)
    assert status_of(client, arn) == "STOPPED"


def test_paused_execution_keeps_its_answer_until_it_is_resumed(client: Any, tmp_path: Path) -> None:
    arn = pending(client, tmp_path, "paused")
    client.pause_durable_execution(DurableExecutionArn=arn, Reason="a question")
    details = client.get_durable_execution(DurableExecutionArn=arn)
    assert details["Status"] == "PAUSED"
    assert details["PauseDetails"]["Reason"] == "a question"
    assert details["PauseDetails"]["ExecutionTimeoutPaused"] is True
    listed = client.list_durable_executions_by_function(
        FunctionName="approval", Statuses=["PAUSED"]
    )
    assert [item["Status"] for item in listed["DurableExecutions"]] == ["PAUSED"]
    client.send_durable_execution_callback_success(
        CallbackId=callback_of(tmp_path, "paused"), Result=b"yes"
    )
    assert not (tmp_path / "paused.after").exists()
    assert status_of(client, arn) == "PAUSED"
    client.resume_durable_execution(DurableExecutionArn=arn)
    assert json.loads(ended(client, arn)["Result"])["answer"] == "yes"


def test_pause_during_a_step_is_pausing_until_the_step_ends(client: Any, tmp_path: Path) -> None:
    arn = start(client, "gated", "pausing", effects=str(tmp_path))
    eventually((tmp_path / "pausing.gated.runs").exists)
    client.pause_durable_execution(DurableExecutionArn=arn)
    assert status_of(client, arn) == "PAUSING"
    (tmp_path / "pausing.gate").touch()
    eventually(lambda: status_of(client, arn) == "PAUSED")
    client.resume_durable_execution(DurableExecutionArn=arn)
    assert ended(client, arn)["Status"] == "SUCCEEDED"


def test_pause_and_resume_conflict_out_of_turn_but_repeat_with_their_token(
    client: Any, tmp_path: Path
) -> None:
    arn = pending(client, tmp_path, "turns")
    conflict = client.exceptions.ResourceConflictException
    with pytest.raises(conflict):
        client.resume_durable_execution(DurableExecutionArn=arn)
    for _ in range(2):
        client.pause_durable_execution(DurableExecutionArn=arn, ClientToken="p")
    with pytest.raises(conflict):
        client.pause_durable_execution(DurableExecutionArn=arn, ClientToken="q")
    for _ in range(2):
        client.resume_durable_execution(DurableExecutionArn=arn, ClientToken="r")
    client.stop_durable_execution(DurableExecutionArn=arn)
    with pytest.raises(conflict):
        client.pause_durable_execution(DurableExecutionArn=arn)


def test_execution_times_out_and_its_answer_is_late(client: Any, tmp_path: Path) -> None:
    arn = start(client, "hasty", "hasty", effects=str(tmp_path))
    callback_id = callback_of(tmp_path, "hasty")
    details = ended(client, arn)
    assert details["Status"] == "TIMED_OUT"
    assert "timed out after 1 seconds" in details["Error"]["ErrorMessage"]
    with pytest.raises(client.exceptions.CallbackTimeoutException):
        client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")


def test_pause_stops_the_execution_clock(client: Any, tmp_path: Path) -> None:
    arn = pending(client, tmp_path, "clock", function="hasty")
    client.pause_durable_execution(DurableExecutionArn=arn)
    details = client.get_durable_execution(DurableExecutionArn=arn)
    latest = details["StartTimestamp"] + timedelta(days=366)
    assert details["ExpectedExecutionTimeoutTimestamp"] == latest
    overdue = details["StartTimestamp"] + timedelta(seconds=1.3)
    eventually(lambda: datetime.now(UTC) > overdue)
    assert status_of(client, arn) == "PAUSED"
    client.resume_durable_execution(DurableExecutionArn=arn)
    assert ended(client, arn)["Status"] == "TIMED_OUT"


def test_ended_execution_is_deleted_with_its_name_and_a_running_one_is_not(
    client: Any, tmp_path: Path
) -> None:
    arn = pending(client, tmp_path, "deleted")
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.delete_durable_execution(DurableExecutionArn=arn)
    client.stop_durable_execution(DurableExecutionArn=arn)
    assert "DeletionRequestTimestamp" in client.delete_durable_execution(DurableExecutionArn=arn)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_durable_execution(DurableExecutionArn=arn)
    assert start(client, "approval", "deleted", effects=str(tmp_path)) != arn


def test_handler_elsewhere_can_read_state_and_is_refused_a_stale_token(
    client: Any, tmp_path: Path
) -> None:
    arn = pending(client, tmp_path, "stale")
    for ask in (client.get_durable_execution_state, client.checkpoint_durable_execution):
        with pytest.raises(client.exceptions.InvalidParameterValueException, match="token"):
            ask(DurableExecutionArn=arn, CheckpointToken="c3RhbGU=")
