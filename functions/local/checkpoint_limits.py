"""Check the updates of a checkpoint against AWS's limits and rules, before anything is applied.

The validators of the testing SDK 1.4.0 look at an operation that is there already, so the first
update of one could say anything. The sentences are theirs.
"""

from collections.abc import Sequence

from aws_durable_execution_sdk_python.lambda_service import (
    ErrorObject,
    OperationAction,
    OperationType,
    OperationUpdate,
)
from aws_durable_execution_sdk_python_testing.exceptions import InvalidParameterValueException

from functions.local import limits
from functions.local.local_execution import LocalExecution


def check_error(error: ErrorObject | None) -> int:
    """Return the size of an error's fields; raise if it is over the limit."""
    if error is None:
        return 0
    texts = [error.type, error.message, error.data, *(error.stack_trace or ())]
    size = sum(len(text.encode()) for text in texts if text)
    limits.ERROR_FIELDS.check_size(size, "Error object")
    return size


def check_updates(execution: LocalExecution, updates: Sequence[OperationUpdate]) -> None:
    """Raise for an update that AWS refuses, or one that is too many for the execution.

    Otherwise count what the updates write, on the execution.
    """
    written = execution.written_bytes
    begun = {each.operation_id for each in execution.operations}
    for number, update in enumerate(updates, start=1):
        _check_members(update, f"updates.{number}.member")
        _check_sense(update, is_begun=update.operation_id in begun)
        begun.add(update.operation_id)
        written += _payload_size(execution, update) + check_error(update.error)
    limits.WRITTEN.check_size(written, "Checkpointed data of a durable execution")
    known = {each.operation_id for each in execution.operations} | {
        each.operation_id for each in updates if each.operation_type is not OperationType.EXECUTION
    }
    # One of them is the execution itself.
    if len(known) - 1 > limits.OPERATIONS.most:
        raise InvalidParameterValueException(
            f"A durable execution has at most {limits.OPERATIONS.most} operations."
        )
    execution.written_bytes = written


def _check_members(update: OperationUpdate, at: str) -> None:
    limits.OPERATION_ID.check_text(update.operation_id, f"{at}.id")
    if update.parent_id is not None:
        limits.OPERATION_ID.check_text(update.parent_id, f"{at}.parentId")
    if update.name is not None:
        limits.OPERATION_NAME.check_text(update.name, f"{at}.name")
    if update.sub_type is not None:
        limits.OPERATION_SUB_TYPE.check_text(update.sub_type, f"{at}.subType")
    if update.wait_options is not None:
        limits.WAIT_SECONDS.check_number(
            update.wait_options.wait_seconds, f"{at}.waitOptions.waitSeconds"
        )
    if update.step_options is not None:
        limits.RETRY_SECONDS.check_number(
            update.step_options.next_attempt_delay_seconds,
            f"{at}.stepOptions.nextAttemptDelaySeconds",
        )
    options = update.callback_options
    if options is not None:
        limits.CALLBACK_SECONDS.check_number(
            options.timeout_seconds, f"{at}.callbackOptions.timeoutSeconds"
        )
        limits.HEARTBEAT_SECONDS.check_number(
            options.heartbeat_timeout_seconds, f"{at}.callbackOptions.heartbeatTimeoutSeconds"
        )


def _check_sense(update: OperationUpdate, *, is_begun: bool) -> None:
    """Raise for options, a payload or an error that do not go with the action."""
    kind, action = update.operation_type, update.action
    is_end = action in {OperationAction.SUCCEED, OperationAction.FAIL}
    has_both = update.payload is not None and update.error is not None
    is_retry = action is OperationAction.RETRY
    refused = ""
    if kind is OperationType.STEP and is_retry != (update.step_options is not None):
        refused = "Invalid StepOptions for the given action."
    elif kind is OperationType.STEP and is_retry and has_both:
        refused = "Cannot provide both error and payload to RETRY a STEP."
    elif action is OperationAction.SUCCEED and update.error is not None:
        refused = "Cannot provide an Error for SUCCEED action."
    elif action is OperationAction.FAIL and update.payload is not None:
        refused = "Cannot provide a Payload for FAIL action."
    elif kind is OperationType.WAIT and action is OperationAction.START:
        refused = "" if update.wait_options else "Update for WAIT operation requires WaitOptions."
    elif kind is OperationType.CONTEXT and is_end and not is_begun:
        refused = "Invalid current CONTEXT state to close."
    if refused:
        raise InvalidParameterValueException(refused)


def check_result(execution: LocalExecution, result: str | None) -> int:
    """Return the size of an execution's result; raise if it is over the limit."""
    size = len((result or "").encode())
    limit = limits.EVENT_RESULT if execution.is_event else limits.SYNC_RESULT
    limit.check_size(size, "Execution output payload")
    return size


def _payload_size(execution: LocalExecution, update: OperationUpdate) -> int:
    if update.payload is None:
        return 0
    if update.operation_type is OperationType.EXECUTION:
        return check_result(execution, update.payload)
    size = len(update.payload.encode())
    direction = "input" if update.action is OperationAction.START else "output"
    limits.OPERATION_PAYLOAD.check_size(size, f"{update.operation_type.value} {direction} payload")
    return size
