"""Extend the executor of the testing SDK: checkpoints that keep to AWS's limits.

``patched_executor`` lists the private names. One is a constant: the testing SDK refuses an error of
over 32 KB, where AWS takes 1 MB by now; the limit of ``checkpoint_limits`` is checked before.
"""

import sys
from typing import override

from aws_durable_execution_sdk_python.lambda_service import (
    DurableExecutionInvocationOutput,
    OperationUpdate,
)
from aws_durable_execution_sdk_python_testing.checkpoint.validators import checkpoint
from aws_durable_execution_sdk_python_testing.execution import Execution
from aws_durable_execution_sdk_python_testing.model import CheckpointDurableExecutionResponse

from functions.local.checkpoint_limits import check_result, check_updates
from functions.local.patched_chained_invokes import ChainingExecutor

checkpoint.MAX_ERROR_PAYLOAD_SIZE_BYTES = sys.maxsize


class CheckpointingExecutor(ChainingExecutor):
    """The part that takes checkpoints and results."""

    @override
    def _checkpoint_execution(
        self,
        execution_arn: str,
        checkpoint_token: str,
        updates: list[OperationUpdate] | None = None,
        client_token: str | None = None,
    ) -> CheckpointDurableExecutionResponse:
        execution = self._written.load(execution_arn)
        # A checkpoint that is sent again has been counted.
        if self._maybe_replay_cached(execution, checkpoint_token, client_token) is None:
            check_updates(execution, updates or [])
        return super()._checkpoint_execution(execution_arn, checkpoint_token, updates, client_token)

    @override
    def _validate_invocation_response_and_store(
        self,
        execution_arn: str,
        response: DurableExecutionInvocationOutput,
        execution: Execution,
        invocation_seq: int | None = None,
    ) -> None:
        check_result(self._written.load(execution_arn), response.result)
        super()._validate_invocation_response_and_store(
            execution_arn, response, execution, invocation_seq
        )
