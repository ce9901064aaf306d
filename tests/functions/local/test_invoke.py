"""Invoke, over HTTP with boto3."""

import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from functions.local.engine import LocalEngine
from tests.functions.local.support import callback_of, client_for, ended, start

ACCOUNT_ARN = "arn:aws:lambda:us-west-2:123456789012:function"


def result(answer: dict[str, Any]) -> Any:
    """The payload of an answer."""
    return json.loads(answer["Payload"].read())


@pytest.mark.parametrize(
    "name",
    [
        "echo",
        "echo:live",
        "echo:1",
        "echo:$LATEST",
        f"{ACCOUNT_ARN}:echo",
        f"{ACCOUNT_ARN}:echo:live",
        "123456789012:function:echo",
        "function:echo",
    ],
)
def test_function_is_found_by_any_form_of_its_name(client: Any, name: str) -> None:
    answer = client.invoke(FunctionName=name, Payload=b'{"a": 1}')
    assert (answer["StatusCode"], result(answer)) == (200, {"a": 1})


def test_two_different_qualifiers_are_refused(client: Any) -> None:
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.invoke(FunctionName="echo:live", Qualifier="other")


def test_context_is_fresh_and_its_time_runs_out(client: Any) -> None:
    first, second = (result(client.invoke(FunctionName="who")) for _ in range(2))
    assert first["function_name"] == "who"
    assert first["request_id"] != second["request_id"]
    before, _, after = first["left"]
    assert 0 < after < before <= 900_000


def test_unknown_function_is_not_found(client: Any) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="nobody"):
        client.invoke(FunctionName="nobody")


def test_dry_run_checks_the_function_and_runs_nothing(client: Any) -> None:
    assert client.invoke(FunctionName="broken", InvocationType="DryRun")["StatusCode"] == 204
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="nobody", InvocationType="DryRun")


def test_bad_json_is_refused(client: Any) -> None:
    with pytest.raises(client.exceptions.InvalidRequestContentException):
        client.invoke(FunctionName="echo", Payload=b"{not json")


@pytest.mark.parametrize(("kind", "limit"), [("Event", 1 << 20), ("RequestResponse", 6 << 20)])
def test_payload_over_the_limit_is_refused_and_at_the_limit_taken(
    client: Any, kind: str, limit: int
) -> None:
    largest = b'"' + b"x" * (limit - 2) + b'"'
    client.invoke(FunctionName="echo", InvocationType=kind, Payload=largest)
    sentence = (
        f"{limit + 1} byte payload is too large for the {kind} invocation type "
        rf"\(limit {limit} bytes\)"
    )
    with pytest.raises(client.exceptions.RequestTooLargeException, match=sentence):
        client.invoke(FunctionName="echo", InvocationType=kind, Payload=largest + b" ")


def test_plain_function_that_raises_is_reported_as_unhandled(client: Any) -> None:
    answer = client.invoke(FunctionName="broken")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    body = result(answer)
    assert body["errorType"] == "KeyError"
    assert "missing" in body["errorMessage"]
    assert any("broken" in line for line in body["stackTrace"])


def test_result_that_is_not_json_is_reported_as_unhandled(client: Any) -> None:
    answer = client.invoke(FunctionName="unserializable")
    assert answer["FunctionError"] == "Unhandled"
    assert result(answer)["errorType"] == "TypeError"


def test_synchronous_durable_call_answers_with_the_result(client: Any) -> None:
    answer = client.invoke(FunctionName="echo-durable:live", Payload=b'{"n": 4}')
    assert answer["StatusCode"] == 200
    assert result(answer) == {"n": 4}
    details = client.get_durable_execution(DurableExecutionArn=answer["DurableExecutionArn"])
    assert details["Status"] == "SUCCEEDED"


def test_synchronous_durable_call_that_fails_is_reported_as_unhandled(client: Any) -> None:
    answer = client.invoke(FunctionName="failing:live", Payload=b'{"why": "too poor"}')
    assert answer["FunctionError"] == "Unhandled"
    assert result(answer) == {"errorType": "ValueError", "errorMessage": "too poor"}


def test_synchronous_durable_call_waits_for_the_end(client: Any, tmp_path: Path) -> None:
    payload = json.dumps({"id": "waits", "effects": str(tmp_path)})
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.invoke, FunctionName="quick-approval:live", Payload=payload)
        callback_id = callback_of(tmp_path, "waits")
        assert not waiting.done()
        client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")
        assert result(waiting.result(timeout=10))["answer"] == "yes"


def test_event_answers_at_once_with_the_execution(client: Any, tmp_path: Path) -> None:
    arn = start(client, "approval", "at-once", effects=str(tmp_path))
    assert arn.startswith(f"{ACCOUNT_ARN}:approval:$LATEST/durable-execution/at-once/")
    callback_id = callback_of(tmp_path, "at-once")
    client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")
    details = ended(client, arn)
    assert json.loads(details["Result"]) == {"before": "done", "answer": "yes"}


def test_same_name_and_payload_returns_the_existing_execution(client: Any, tmp_path: Path) -> None:
    arn = start(client, "quick-approval", "twice", effects=str(tmp_path))
    assert start(client, "quick-approval", "twice", effects=str(tmp_path)) == arn
    callback_id = callback_of(tmp_path, "twice")
    client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")
    ended(client, arn)
    again = client.invoke(
        FunctionName="quick-approval:live",
        DurableExecutionName="twice",
        # The same JSON in another spelling.
        Payload=json.dumps({"effects": str(tmp_path), "id": "twice"}, indent=1),
    )
    assert again["DurableExecutionArn"] == arn
    assert result(again)["answer"] == "yes"


def test_same_name_and_another_payload_is_a_conflict(client: Any, tmp_path: Path) -> None:
    start(client, "approval", "taken", effects=str(tmp_path))
    with pytest.raises(client.exceptions.DurableExecutionAlreadyStartedException):
        start(client, "approval", "taken", effects=str(tmp_path), amount=2)


def test_many_simultaneous_starts_of_one_name_make_one_execution(
    engine: LocalEngine, tmp_path: Path
) -> None:
    clients = [client_for(engine.url) for _ in range(4)]
    gate = threading.Barrier(8)

    def begin(number: int) -> str:
        gate.wait()
        return start(clients[number % 4], "approval", "raced", effects=str(tmp_path))

    with ThreadPoolExecutor(8) as pool:
        arns = set(pool.map(begin, range(8)))
    assert len(arns) == 1
    listed = clients[0].list_durable_executions_by_function(
        FunctionName="approval", DurableExecutionName="raced"
    )
    assert len(listed["DurableExecutions"]) == 1


@pytest.mark.parametrize("name", ["a" * 65, "with space", "dot.ted", "umläut"])
def test_execution_name_that_aws_would_refuse_is_refused(
    engine: LocalEngine, client: Any, name: str
) -> None:
    # boto3 checks the length itself, and headers are Latin-1: ask without it.
    connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=10)
    try:
        connection.request(
            "POST",
            "/2015-03-31/functions/approval:live/invocations",
            b"{}",
            {"X-Amz-Durable-Execution-Name": name, "X-Amz-Invocation-Type": "Event"},
        )
        answer = connection.getresponse()
        body = json.loads(answer.read())
    finally:
        connection.close()
    assert answer.status == 400
    assert answer.headers["x-amzn-ErrorType"] == "ValidationException"
    assert "at 'durableExecutionName' failed to satisfy constraint" in body["Message"]


def test_execution_name_for_a_plain_function_is_refused(client: Any) -> None:
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.invoke(FunctionName="echo", DurableExecutionName="name")


def test_invocation_that_raises_is_tried_again(client: Any, tmp_path: Path) -> None:
    arn = start(client, "raising", "raises", effects=str(tmp_path), failures=1)
    assert ended(client, arn)["Status"] == "SUCCEEDED"


def test_unknown_path_is_an_error_with_a_type(engine: LocalEngine) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=10)
    try:
        connection.request("GET", "/2025-12-01/nothing")
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    assert answer.status == 404
    assert answer.headers["x-amzn-ErrorType"] == "UnknownOperationException"


def test_health_tells_that_recovery_is_done(engine: LocalEngine) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=10)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        body = json.loads(answer.read())
    finally:
        connection.close()
    assert answer.status == 200
    assert body["status"] == "ok"
    assert set(body) >= {"executions", "events", "invocations", "pid", "recovered"}


def test_engine_listens_on_loopback_only(engine: LocalEngine) -> None:
    assert engine.url == f"http://127.0.0.1:{engine.port}"
    assert engine._http_server.server_address[0] == "127.0.0.1"
