"""Callbacks, over HTTP with boto3: answered, late, unknown, expired, kept alive."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from functions.local.engine import LocalEngine
from tests.functions.local.support import callback_of, ended, start
from tests.waiting import eventually


def answer_of(details: dict[str, Any]) -> str:
    """Return the execution's result for its callback."""
    return str(json.loads(details["Result"])["answer"])


def test_failure_reaches_the_execution_with_its_error(client: Any, tmp_path: Path) -> None:
    arn = start(client, "approval", "fails", effects=str(tmp_path))
    client.send_durable_execution_callback_failure(
        CallbackId=callback_of(tmp_path, "fails"),
        Error={"ErrorType": "Declined", "ErrorMessage": "no income"},
    )
    assert "no income" in answer_of(ended(client, arn))


def test_failure_without_an_error_reaches_the_execution(client: Any, tmp_path: Path) -> None:
    arn = start(client, "approval", "bare", effects=str(tmp_path))
    client.send_durable_execution_callback_failure(CallbackId=callback_of(tmp_path, "bare"))
    assert answer_of(ended(client, arn)).startswith("Callback")


def test_answer_that_is_not_utf_8_is_refused_and_the_callback_stays_open(
    client: Any, tmp_path: Path
) -> None:
    arn = start(client, "approval", "bytes", effects=str(tmp_path))
    callback_id = callback_of(tmp_path, "bytes")
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="UTF-8"):
        client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"\xff")
    client.send_durable_execution_callback_success(CallbackId=callback_id, Result="ä".encode())
    assert answer_of(ended(client, arn)) == "ä"


def test_second_answer_is_refused_and_the_first_stands(client: Any, tmp_path: Path) -> None:
    arn = start(client, "approval", "second", effects=str(tmp_path))
    callback_id = callback_of(tmp_path, "second")
    client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"first")
    late = client.exceptions.CallbackTimeoutException
    with pytest.raises(late) as refused:
        client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"second")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    with pytest.raises(late):
        client.send_durable_execution_callback_failure(CallbackId=callback_id)
    with pytest.raises(late):
        client.send_durable_execution_callback_heartbeat(CallbackId=callback_id)
    assert answer_of(ended(client, arn)) == "first"


def test_answer_after_a_stop_is_refused(client: Any, tmp_path: Path) -> None:
    arn = start(client, "approval", "stopped", effects=str(tmp_path))
    callback_id = callback_of(tmp_path, "stopped")
    client.stop_durable_execution(DurableExecutionArn=arn)
    with pytest.raises(client.exceptions.CallbackTimeoutException):
        client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")
    assert client.get_durable_execution(DurableExecutionArn=arn)["Status"] == "STOPPED"


def test_unknown_callback_is_not_found(client: Any, tmp_path: Path) -> None:
    arn = start(client, "approval", "known", effects=str(tmp_path))
    for token in ({"arn": "nobody", "op": "1"}, {"arn": arn, "op": "nothing"}):
        callback_id = base64.b64encode(json.dumps(token).encode()).decode()
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.send_durable_execution_callback_success(CallbackId=callback_id)


def test_callback_id_that_is_none_is_refused(client: Any) -> None:
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.send_durable_execution_callback_success(CallbackId="bm90aGluZw==")


def test_callback_times_out_and_its_answer_is_late(client: Any, tmp_path: Path) -> None:
    arn = start(client, "approval", "expires", effects=str(tmp_path), timeout=1)
    callback_id = callback_of(tmp_path, "expires")
    assert answer_of(ended(client, arn)).startswith("CallbackTimeoutError")
    with pytest.raises(client.exceptions.CallbackTimeoutException):
        client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")


def test_heartbeats_keep_a_callback_and_their_absence_ends_it(client: Any, tmp_path: Path) -> None:
    arn = start(client, "approval", "beats", effects=str(tmp_path), heartbeat=1)
    callback_id = callback_of(tmp_path, "beats")
    began = time.monotonic()

    def beat() -> bool:
        client.send_durable_execution_callback_heartbeat(CallbackId=callback_id)
        return time.monotonic() - began > 1.2

    eventually(beat)
    assert client.get_durable_execution(DurableExecutionArn=arn)["Status"] == "RUNNING"
    assert "heartbeat" in answer_of(ended(client, arn))


def test_answer_sent_while_the_publishing_step_still_runs_is_kept(
    client: Any, engine: LocalEngine, tmp_path: Path
) -> None:
    arn = start(client, "approval", "early", effects=str(tmp_path))
    # Answered as soon as the id is out: the step that published it has hardly ended.
    client.send_durable_execution_callback_success(
        CallbackId=callback_of(tmp_path, "early"), Result=b"yes"
    )
    assert answer_of(ended(client, arn)) == "yes"


def test_history_tells_timeouts_of_callbacks_and_details_of_invocations(
    client: Any, tmp_path: Path
) -> None:
    arn = start(client, "approval", "told", effects=str(tmp_path), timeout=600, heartbeat=60)
    client.send_durable_execution_callback_success(
        CallbackId=callback_of(tmp_path, "told"), Result=b"yes"
    )
    ended(client, arn)
    events = client.get_durable_execution_history(DurableExecutionArn=arn)["Events"]
    by_type = {event["EventType"]: event for event in events}
    started = by_type["CallbackStarted"]["CallbackStartedDetails"]
    assert (started["Timeout"], started["HeartbeatTimeout"]) == (600, 60)
    completed = by_type["InvocationCompleted"]["InvocationCompletedDetails"]
    assert completed["RequestId"]
    assert completed["StartTimestamp"] <= completed["EndTimestamp"]
    assert by_type["CallbackSucceeded"]["CallbackSucceededDetails"]["Result"]["Payload"] == "yes"
