"""AWS's limits, each at its bound and one over it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_durable_execution_sdk_python.lambda_service import (
    CallbackOptions,
    ErrorObject,
    OperationAction,
    OperationType,
    OperationUpdate,
    StepOptions,
    WaitOptions,
)
from aws_durable_execution_sdk_python_testing.exceptions import (
    AwsApiException,
    InvalidParameterValueException,
)
from aws_durable_execution_sdk_python_testing.model import StartDurableExecutionInput
from botocore.exceptions import ClientError

from functions.local import limits
from functions.local.checkpoint_limits import check_updates
from functions.local.engine import HANDLER_THREADS, EngineError, Function
from functions.local.limits import LIMITS, MB, Limit
from functions.local.local_execution import LocalExecution
from tests.functions.local.handlers import echo
from tests.functions.local.support import callback_of, ended, history_of, start

README = Path(limits.__file__).with_name("README.md")
MODEL = boto3.client("lambda", region_name="us-west-2").meta.service_model


@pytest.fixture
def execution() -> LocalExecution:
    """An execution that has begun, and nothing else."""
    began = StartDurableExecutionInput(
        account_id="123456789012",
        function_name="sized",
        function_qualifier="$LATEST",
        execution_name="one",
        execution_timeout_seconds=900,
        execution_retention_period_days=14,
        invocation_id="one",
        input="{}",
    )
    execution = LocalExecution("arn", began, [])
    execution.start(now=datetime(2026, 1, 1, tzinfo=UTC))
    return execution


def update(**members: Any) -> OperationUpdate:
    """An update of a step, unless the test says otherwise."""
    given = {"operation_id": "a", "operation_type": OperationType.STEP, **members}
    return OperationUpdate(**{"action": OperationAction.START, **given})


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    """The type and the message of the error that boto3 raises."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize(
    "limit", [each for each in LIMITS if each.shape], ids=lambda each: each.shape
)
def test_limit_is_that_of_the_model(limit: Limit) -> None:
    shape = MODEL.shape_for(limit.shape)
    found = shape.metadata
    assert (limit.least, limit.most) == (found.get("min", 0), found["max"])
    assert limit.sensitive == found.get("sensitive", False)
    if limit.pattern:
        assert limit.pattern == MODEL._service_description["shapes"][limit.shape]["pattern"]


@pytest.mark.parametrize("limit", LIMITS, ids=lambda each: each.subject)
def test_table_of_the_readme_has_each_limit(limit: Limit) -> None:
    assert limit.row() in README.read_text().splitlines()


def test_results_larger_than_a_batch_of_the_sdk_take_no_threads(client: Any) -> None:
    arns = [
        start(client, "sized", f"large-{number}", result=800 * 1024)
        for number in range(HANDLER_THREADS)
    ]
    small = start(client, "sized", "small")
    assert [ended(client, arn)["Status"] for arn in [small, *arns]] == ["SUCCEEDED"] * 17


def test_step_result_at_the_limit_is_taken_and_one_over_fails_the_execution(client: Any) -> None:
    largest = ended(client, start(client, "sized", "largest", result=MB))
    assert (largest["Status"], largest["Result"]) == ("SUCCEEDED", str(MB - 2))
    over = ended(client, start(client, "sized", "over", result=MB + 1))
    assert over["Status"] == "FAILED"
    sentence = "STEP output payload size must be less than or equal to 1048576 bytes."
    assert "InvalidParameterValueException" in over["Error"]["ErrorMessage"]
    assert sentence in over["Error"]["ErrorMessage"]


def test_result_of_an_event_over_the_limit_fails_the_execution(client: Any) -> None:
    largest = ended(client, start(client, "sized", "returned", returned=MB))
    assert (largest["Status"], len(largest["Result"])) == ("SUCCEEDED", MB)
    over = ended(client, start(client, "sized", "over-returned", returned=MB + 1))
    sentence = "Execution output payload size must be less than or equal to 1048576 bytes."
    assert over["Error"] == {
        "ErrorType": "InvalidParameterValueException",
        "ErrorMessage": sentence,
    }
    answer = client.invoke(FunctionName="sized:live", Payload=json.dumps({"returned": MB + 1}))
    assert len(answer["Payload"].read()) == MB + 1


def test_step_error_of_the_old_limit_is_taken_and_one_over_fails_the_execution(
    client: Any,
) -> None:
    taken = ended(client, start(client, "sized", "long-error", error=40_000))
    assert taken["Error"]["ErrorMessage"] == "x" * 40_000
    over = ended(client, start(client, "sized", "longest-error", error=MB + 1))
    assert "Error object size must be" in over["Error"]["ErrorMessage"]


def test_step_name_at_the_limit_is_taken_and_one_over_fails_the_execution(client: Any) -> None:
    assert ended(client, start(client, "sized", "name", letters=256))["Status"] == "SUCCEEDED"
    over = ended(client, start(client, "sized", "long-name", letters=257))
    assert "'updates.1.member.name' failed to satisfy" in over["Error"]["ErrorMessage"]


WAIT, CALLBACK = OperationType.WAIT, OperationType.CALLBACK
SUCCEED = OperationAction.SUCCEED


@pytest.mark.parametrize(
    ("limit", "make"),
    [
        (limits.OPERATION_ID, lambda n: update(operation_id="i" * n)),
        (limits.OPERATION_ID, lambda n: update(parent_id="i" * n)),
        (limits.OPERATION_NAME, lambda n: update(name="n" * n)),
        (limits.OPERATION_SUB_TYPE, lambda n: update(sub_type="s" * n)),
        (
            limits.WAIT_SECONDS,
            lambda n: update(operation_type=WAIT, wait_options=WaitOptions(wait_seconds=n)),
        ),
        (
            limits.RETRY_SECONDS,
            lambda n: update(
                action=OperationAction.RETRY,
                step_options=StepOptions(next_attempt_delay_seconds=n),
            ),
        ),
        (
            limits.CALLBACK_SECONDS,
            lambda n: update(
                operation_type=CALLBACK, callback_options=CallbackOptions(timeout_seconds=n)
            ),
        ),
        (
            limits.HEARTBEAT_SECONDS,
            lambda n: update(
                operation_type=CALLBACK,
                callback_options=CallbackOptions(heartbeat_timeout_seconds=n),
            ),
        ),
        (limits.OPERATION_PAYLOAD, lambda n: update(action=SUCCEED, payload="p" * n)),
        (
            limits.SYNC_RESULT,
            lambda n: update(
                operation_type=OperationType.EXECUTION, action=SUCCEED, payload="p" * n
            ),
        ),
        (
            limits.ERROR_FIELDS,
            lambda n: update(
                action=OperationAction.FAIL,
                error=ErrorObject(message="m" * (n - 3), type="t", data="d", stack_trace=["s"]),
            ),
        ),
    ],
)
def test_update_at_the_limits_is_taken_and_one_over_refused(
    execution: LocalExecution, limit: Limit, make: Any
) -> None:
    check_updates(execution, [make(limit.most)])
    with pytest.raises(AwsApiException) as caught:
        check_updates(execution, [make(limit.most + 1)])
    kind = type(caught.value).__name__, getattr(caught.value, "error_type", "")
    expected = ("ApiError", "ValidationException")
    if limit.answer == limits.INVALID:
        expected = ("InvalidParameterValueException", "")
    assert (caught.value.http_status_code, kind) == (400, expected)
    assert str(limit.most) in str(caught.value)
    if limit.least:
        check_updates(execution, [make(limit.least)])
        with pytest.raises(AwsApiException, match="greater than or equal to 1"):
            check_updates(execution, [make(limit.least - 1)])


def test_sizes_are_those_of_the_bytes(execution: LocalExecution) -> None:
    with pytest.raises(InvalidParameterValueException):
        check_updates(execution, [update(action=SUCCEED, payload="é" * (MB // 2 + 1))])


def test_name_with_other_characters_is_refused(execution: LocalExecution) -> None:
    with pytest.raises(AwsApiException, match="regular expression pattern"):
        check_updates(execution, [update(name="umläut")])


def test_operations_over_the_limit_are_refused(execution: LocalExecution) -> None:
    most = limits.OPERATIONS.most
    updates = [update(operation_id=str(number)) for number in range(most + 1)]
    check_updates(execution, updates[:most])
    with pytest.raises(InvalidParameterValueException, match=f"at most {most} operations"):
        check_updates(execution, updates)


def test_data_over_the_limit_is_refused_and_survives_a_restart(execution: LocalExecution) -> None:
    for number in range(100):
        result = update(operation_id=str(number), action=SUCCEED, payload="p" * MB)
        check_updates(execution, [result])
    again = LocalExecution.from_json_dict(execution.to_json_dict())
    with pytest.raises(InvalidParameterValueException, match=str(limits.WRITTEN.most)):
        check_updates(again, [update(action=SUCCEED, payload="p")])


def test_reasons_and_tokens_of_a_pause(client: Any, tmp_path: Path) -> None:
    arn = start(client, "approval", "reasons", effects=str(tmp_path))
    pause, resume = client.pause_durable_execution, client.resume_durable_execution
    for call, member in [(pause, "reason"), (resume, "reason")]:
        code, message = refusal(call, DurableExecutionArn=arn, Reason="r" * 1025)
        assert code == "ValidationException"
        assert f"at '{member}' failed to satisfy constraint: Member must have length" in message
        code, message = refusal(call, DurableExecutionArn=arn, ClientToken="t" * 65)
        assert (code, "'clientToken'" in message) == ("ValidationException", True)
        call(DurableExecutionArn=arn, Reason="r" * 1024, ClientToken="t" * 64)
    client.stop_durable_execution(DurableExecutionArn=arn)


def test_results_and_errors_from_outside(client: Any, tmp_path: Path) -> None:
    arn = start(client, "approval", "answers", effects=str(tmp_path))
    answered = {"CallbackId": callback_of(tmp_path, "answers")}
    over = {"ErrorMessage": "m" * (MB + 1)}
    succeed = client.send_durable_execution_callback_success
    assert refusal(succeed, **answered, Result=b"r" * (MB + 1)) == (
        "ValidationException",
        "1 validation error detected: Value at 'result' failed to satisfy constraint: Member must "
        "have length less than or equal to 1048576",
    )
    fail, stop = client.send_durable_execution_callback_failure, client.stop_durable_execution
    code, _ = refusal(fail, **answered, Error=over)
    assert code == "InvalidParameterValueException"
    code, _ = refusal(stop, DurableExecutionArn=arn, Error=over)
    assert code == "InvalidParameterValueException"
    succeed(**answered, Result=b"r" * MB)
    ended(client, arn)
    assert "CallbackSucceeded" in history_of(client, arn)


def test_page_over_the_limit_is_refused(client: Any) -> None:
    client.list_durable_executions_by_function(FunctionName="sized", MaxItems=1000)
    code, message = refusal(
        client.list_durable_executions_by_function, FunctionName="sized", MaxItems=1001
    )
    assert (code, "Value '1001' at 'maxItems'" in message) == ("ValidationException", True)


def test_execution_timeout_over_a_quarter_of_an_hour_is_for_events_only(client: Any) -> None:
    client.invoke(FunctionName="echo-durable:live", Payload=b"1")["Payload"].read()
    start(client, "slower-than-sync", "slower")
    assert refusal(client.invoke, FunctionName="slower-than-sync:live", Payload=b"1") == (
        "InvalidParameterValueException",
        "You cannot synchronously invoke a durable function with an executionTimeout greater than "
        "15 minutes.",
    )


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("execution_timeout_seconds", limits.EXECUTION_SECONDS),
        ("retention_days", limits.RETENTION_DAYS),
    ],
)
def test_function_with_a_period_that_lambda_refuses_is_refused(name: str, limit: Limit) -> None:
    for taken in (limit.least, limit.most):
        Function(echo, **{name: taken})
    for refused in (limit.least - 1, limit.most + 1):
        with pytest.raises(EngineError, match="durableConfig"):
            Function(echo, **{name: refused})
