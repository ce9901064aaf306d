"""Run durable handlers: the testing SDK's invoker on threads, and its checkpoint client.

The executor calls ``ThreadInvoker.invoke`` on its bounded pool. The handler gets a
client that passes checkpoints straight to the executor, where Lambda's would use HTTP.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, override

from aws_durable_execution_sdk_python.exceptions import CheckpointError, GetExecutionStateError
from aws_durable_execution_sdk_python.execution import (
    DurableExecutionInvocationInput,
    DurableExecutionInvocationInputWithClient,
    InitialExecutionState,
)
from aws_durable_execution_sdk_python.lambda_service import (
    CheckpointOutput,
    CheckpointUpdatedExecutionState,
    DurableServiceClient,
    OperationUpdate,
    StateOutput,
)
from aws_durable_execution_sdk_python_testing.checkpoint.processor import (
    DEFAULT_MAX_INVOCATION_PAGE_BYTES,
)
from aws_durable_execution_sdk_python_testing.exceptions import (
    AwsApiException,
    ResourceNotFoundException,
)
from aws_durable_execution_sdk_python_testing.execution import Execution, OperationPaginatorState
from aws_durable_execution_sdk_python_testing.invoker import Invoker, InvokeResponse
from aws_durable_execution_sdk_python_testing.model import (
    CheckpointDurableExecutionResponse,
    GetDurableExecutionStateResponse,
)
from aws_durable_execution_sdk_python_testing.token import CheckpointToken
from botocore.exceptions import ClientError

from functions.local.errors import (
    CheckpointLostError,
    EngineStoppingError,
    RuntimeExitedError,
    StorageError,
    error_type,
)
from functions.local.function import (
    Function,
    Target,
    context_for,
    find_function,
    parse_function_name,
)

logger = logging.getLogger(__name__)


class Checkpoints(Protocol):
    """The part of the executor that a running handler calls."""

    def checkpoint_execution(
        self,
        execution_arn: str,
        checkpoint_token: str,
        updates: list[OperationUpdate] | None = None,
        client_token: str | None = None,
    ) -> CheckpointDurableExecutionResponse:
        """Apply updates and return what the handler has not seen."""

    def get_execution_state(
        self,
        execution_arn: str,
        checkpoint_token: str | None = None,
        marker: str | None = None,
        max_items: int | None = None,
    ) -> GetDurableExecutionStateResponse:
        """Return a page of operations."""


class DirectClient(DurableServiceClient):
    """The SDK's service client of one invocation, without HTTP; errors look like boto3's."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints
        self.has_lost_a_checkpoint = False

    def checkpoint(
        self,
        durable_execution_arn: str,
        checkpoint_token: str,
        updates: list[OperationUpdate],
        client_token: str | None,
    ) -> CheckpointOutput:
        """Apply a batch of updates."""
        try:
            response = self._checkpoints.checkpoint_execution(
                durable_execution_arn, checkpoint_token, updates, client_token
            )
        except AwsApiException as error:
            self.has_lost_a_checkpoint |= isinstance(error, StorageError)
            raise CheckpointError.from_exception(
                _as_client_error(error, "CheckpointDurableExecution")
            ) from error
        state = response.new_execution_state
        return CheckpointOutput(
            checkpoint_token=response.checkpoint_token,
            new_execution_state=CheckpointUpdatedExecutionState(
                operations=state.operations if state else [], next_marker=None
            ),
        )

    def get_execution_state(
        self,
        durable_execution_arn: str,
        checkpoint_token: str,
        next_marker: str,
        max_items: int = 1000,
    ) -> StateOutput:
        """Fetch a further page of operations."""
        try:
            response = self._checkpoints.get_execution_state(
                durable_execution_arn, checkpoint_token, next_marker, max_items
            )
        except AwsApiException as error:
            raise GetExecutionStateError.from_exception(
                _as_client_error(error, "GetDurableExecutionState")
            ) from error
        return StateOutput(operations=response.operations, next_marker=response.next_marker)


def _as_client_error(error: AwsApiException, operation: str) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": error_type(error), "Message": str(error)},
            "ResponseMetadata": {
                "HTTPStatusCode": error.http_status_code,
                "RequestId": "",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        operation,
    )


class Activity:
    """Count running handlers, so that a stop can wait for them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0

    @property
    def running(self) -> int:
        """Return the number of handlers that run now."""
        return self._running

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count one running handler."""
        with self._changed:
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def wait_until_idle(self, timeout: float) -> bool:
        """Return true when all handlers ended in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._running == 0, timeout)


class ThreadInvoker(Invoker):
    """Call the durable functions of this process."""

    def __init__(
        self, functions: Mapping[str, Function], *, region: str, activity: Activity
    ) -> None:
        self._functions = functions
        self._region = region
        self._activity = activity
        self._checkpoints: Checkpoints | None = None
        self._draining = False

    def drain(self) -> None:
        """Begin no further handler; those that wait for a thread are refused."""
        self._draining = True

    def connect(self, checkpoints: Checkpoints) -> None:
        """Set the receiver of checkpoints; the executor is created after its invoker."""
        self._checkpoints = checkpoints

    def find(self, function_name: str) -> Target:
        """Return what a name or an ARN stands for. Raises as AWS does when it is nothing."""
        return find_function(
            self._functions, parse_function_name(function_name, self._region), self._region
        )

    def run_plain(self, target: Target, event: Any, request_id: str, tenant_id: str | None) -> Any:
        """Run a plain function once, on the calling thread, and return its result."""
        context = context_for(target, self._region, request_id=request_id, tenant_id=tenant_id)
        with self._activity.one():
            return target.handler(event, context)

    def create_invocation_input(self, execution: Execution) -> DurableExecutionInvocationInput:
        """Make the first page of the execution's operations, with a new token."""
        operations, marker = OperationPaginatorState.pin(execution).page(
            None, DEFAULT_MAX_INVOCATION_PAGE_BYTES
        )
        return DurableExecutionInvocationInput(
            durable_execution_arn=execution.durable_execution_arn,
            checkpoint_token=execution.get_new_checkpoint_token(),
            initial_execution_state=InitialExecutionState(
                operations=operations, next_marker=marker or ""
            ),
            updated_operation_ids=list(execution.updated_operation_ids),
        )

    @override
    def invoke(
        self,
        function_name: str,
        input: DurableExecutionInvocationInput,
        endpoint_url: str | None = None,
        tenant_id: str | None = None,
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> InvokeResponse:
        """Run the handler once, on the calling thread."""
        if self._draining:
            raise EngineStoppingError
        target = self.find(function_name)
        if not target.function.durable or self._checkpoints is None:
            arn = target.name.arn(self._region)
            raise ResourceNotFoundException(f"Function not found: {arn}")
        # The id under which the execution's row knows this invocation, even if it dies.
        request_id = CheckpointToken.from_str(input.checkpoint_token).invocation_id
        context = context_for(target, self._region, request_id=request_id, tenant_id=tenant_id)
        client = DirectClient(self._checkpoints)
        event: Any = (
            DurableExecutionInvocationInputWithClient.from_durable_execution_invocation_input(
                input, client
            )
        )
        with self._activity.one():
            try:
                output = target.handler(event, context)
            except SystemExit as error:
                raise RuntimeExitedError(
                    f"RequestId: {request_id} Error: Runtime exited with error: "
                    f"exit status {error.code}"
                ) from error
            except Exception as error:
                if client.has_lost_a_checkpoint:
                    raise CheckpointLostError from error
                logger.exception(
                    "Invocation %s of %s raised.",
                    context.aws_request_id,
                    input.durable_execution_arn,
                )
                raise
        if client.has_lost_a_checkpoint:
            # Whatever it returned, it may follow from an error that is not its own.
            raise CheckpointLostError
        return InvokeResponse.from_output(output, context.aws_request_id)

    def update_endpoint(self, endpoint_url: str, region_name: str) -> None:
        """Nothing to do: there is no endpoint."""

    def inherit_endpoint(self, child_execution_arn: str, parent_execution_arn: str) -> None:
        """Nothing to do: there is no endpoint."""
