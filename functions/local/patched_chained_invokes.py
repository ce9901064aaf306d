"""Extend the executor of the testing SDK: functions that a durable function invokes.

``context.invoke`` is an operation of the parent. A durable target is an execution of its own: it is
created in the same write as the checkpoint that asks for it, so that no crash parts them, and its
end completes the operation. A plain target runs once on a thread; when the process dies meanwhile,
it runs again, as any step does. ``patched_executor`` lists the private names.

On Lambda a target takes longer to begin than its parent to suspend, and AWS's conformance tests
expect their events in that order. Here both take milliseconds, so a target begins when the
invocation that asks for it has ended, or ``LONGEST_HOLD`` after, if that has other work.
"""

import asyncio
import json
import logging
import traceback
import uuid
from collections.abc import Callable
from functools import cached_property
from typing import override

from aws_durable_execution_sdk_python.lambda_service import (
    ErrorObject,
    Operation,
    OperationAction,
    OperationStatus,
    OperationType,
    OperationUpdate,
)
from aws_durable_execution_sdk_python_testing.child_dispatcher import (
    ChildOutcome,
    function_timeout_outcome,
    result_outcome,
)
from aws_durable_execution_sdk_python_testing.exceptions import (
    AwsApiException,
    ResourceNotFoundException,
)
from aws_durable_execution_sdk_python_testing.model import StartDurableExecutionInput
from aws_durable_execution_sdk_python_testing.worker.status import InvocationState

from functions.local.errors import error_type
from functions.local.function import ACCOUNT, Target
from functions.local.invoker import ThreadInvoker
from functions.local.local_execution import LocalExecution
from functions.local.patched_timers import TimedExecutor

EMPTY = "{}"  # what a target gets that is invoked without a payload
LONGEST_HOLD = 1.0  # seconds

logger = logging.getLogger(__name__)


class ChainingExecutor(TimedExecutor):
    """The part that starts the targets of chained invokes, and hears of their end."""

    _invoker: ThreadInvoker

    @cached_property
    def _targets(self) -> set[tuple[str, str]]:
        """Plain targets that run now: the ARN of the parent, and the operation."""
        return set()

    def create(
        self,
        execution_arn: str,
        start: StartDurableExecutionInput,
        *,
        is_event: bool,
        parent_arn: str | None = None,
    ) -> None:
        """Create an execution under a given ARN and invoke it once it is on disk."""
        execution = LocalExecution(execution_arn, start, [])
        execution.is_event = is_event
        execution.region = self.region
        execution.parent_execution_arn = parent_arn
        execution.start(now=self._clock.now())
        with self._written.one_write():
            self._store.save(execution)
            if parent_arn is None:
                self._launch_execution(execution, start.execution_timeout_seconds)
            else:
                self._arm_execution_timeout(execution)
                self._hold(parent_arn, lambda: self._invoke_execution(execution_arn))

    # Targets that wait until the invocation of their parent has ended.

    @cached_property
    def _held_targets(self) -> dict[str, list[Callable[[], object]]]:
        return {}

    def _hold(self, parent_arn: str, begin: Callable[[], object]) -> None:
        """Begin a target when its parent's invocation has ended, or soon."""

        def hold() -> None:
            self._held_targets.setdefault(parent_arn, []).append(begin)
            self._scheduler.call_later(lambda: self._release_held(parent_arn), delay=LONGEST_HOLD)

        self._after_write(hold)

    def _release_held(self, parent_arn: str) -> None:
        for begin in self._held_targets.pop(parent_arn, ()):
            begin()

    @override
    def _set_invocation_gate(self, arn: str, status: InvocationState) -> None:
        super()._set_invocation_gate(arn, status)
        if status is not InvocationState.INVOKING and arn in self._held_targets:
            self._after_write(lambda: self._release_held(arn))

    # At the checkpoint, on the parent's queue.

    @override
    def preflight_chained_invoke(self, function_name: str) -> ErrorObject | None:
        """Return why a target cannot be invoked; its operation fails at once."""
        try:
            self._invoker.find(function_name).check_can_start()
        except AwsApiException as error:
            return _error(str(error), error_type(error))
        return None

    @override
    def on_chained_invoke_started(
        self,
        execution_arn: str,
        operation_id: str,
        function_name: str,
        tenant_id: str | None,
        payload: str | None,
    ) -> None:
        """Start the target with the checkpoint that asks for it."""
        parent = self._written.load(execution_arn)
        target = self._invoker.find(function_name)
        parent.chained_versions[operation_id] = target.version
        if target.function.durable:
            child_arn = self._create_child(parent, target, tenant_id, payload or EMPTY)
            parent.record_chained_invoke_child(operation_id, child_arn)
        else:
            given = payload or EMPTY
            self._hold(
                execution_arn,
                lambda: self._run_target(execution_arn, operation_id, target, tenant_id, given),
            )
        self._written.save(parent)

    def _create_child(
        self, parent: LocalExecution, target: Target, tenant_id: str | None, payload: str
    ) -> str:
        name = str(uuid.uuid4())
        arn = target.execution_arn(self.region, name)
        self.create(
            arn,
            StartDurableExecutionInput(
                account_id=ACCOUNT,
                function_name=target.name.name,
                function_qualifier=target.version,
                execution_name=name,
                execution_timeout_seconds=target.function.execution_timeout_seconds,
                execution_retention_period_days=target.function.retention_days,
                invocation_id=arn.rpartition("/")[2],
                trace_fields=parent.start_input.trace_fields,
                tenant_id=tenant_id,
                input=payload,
            ),
            is_event=True,
            parent_arn=parent.durable_execution_arn,
        )
        return arn

    # Plain targets.

    def _run_target(
        self, arn: str, operation_id: str, target: Target, tenant_id: str | None, payload: str
    ) -> None:
        key = arn, operation_id

        async def run() -> None:
            if self._draining or key in self._targets:
                return
            self._targets.add(key)
            try:
                outcome = await self._outcome_of(target, tenant_id, payload)
                await self._settle(arn, operation_id, outcome)
            finally:
                self._targets.discard(key)

        self._after_write(lambda: self._scheduler.call_later(self.unfailing(arn, run)))

    async def _outcome_of(
        self, target: Target, tenant_id: str | None, payload: str
    ) -> ChildOutcome:
        request_id = str(uuid.uuid4())

        def call() -> ChildOutcome:
            try:
                result = self._invoker.run_plain(target, json.loads(payload), request_id, tenant_id)
                return result_outcome(json.dumps(result))
            except (Exception, SystemExit) as error:
                logger.warning("%s raised.", target.name.identifier, exc_info=True)
                trace = traceback.format_tb(error.__traceback__)
                return ChildOutcome(error=_error(str(error), type(error).__name__, trace))

        try:
            return await asyncio.wait_for(
                asyncio.get_running_loop().run_in_executor(self._target_pool, call),
                timeout=target.function.timeout_seconds,
            )
        except TimeoutError:
            seconds = target.function.timeout_seconds
            return function_timeout_outcome(seconds, request_id, self._clock.now())

    async def _settle(self, arn: str, operation_id: str, outcome: ChildOutcome) -> None:
        status = OperationStatus.FAILED if outcome.error else OperationStatus.SUCCEEDED
        if self._is_closing():
            return  # the next engine runs it again
        await self.until_written(
            arn,
            lambda: self._apply_chained_invoke_completion(
                arn, operation_id, status, outcome.result, outcome.error
            ),
        )
        self._invoke_execution(arn)

    # The end of a durable target. Its parent hears of it when it is on disk.

    @override
    def _notify_parent_of_terminal_child(self, child_arn: str) -> None:
        child = self._written.load(child_arn)
        parent_arn = child.parent_execution_arn
        if parent_arn is None:
            return

        async def tell() -> None:
            await self.until_written(parent_arn, lambda: self._continue_chained(parent_arn))
            self._invoke_execution(parent_arn)

        self._scheduler.call_later(self.unfailing(parent_arn, tell))

    @override
    def _rearm(self, execution_arn: str) -> float | None:
        delay = super()._rearm(execution_arn)
        if delay is not None:
            self._continue_chained(execution_arn)
        return delay

    def _continue_chained(self, execution_arn: str) -> None:
        """Complete the operations whose targets have ended; run plain targets that were lost."""
        parent = self._written.load(execution_arn)
        if parent.is_complete:
            return
        for operation in list(parent.operations):
            is_open = operation.status is OperationStatus.STARTED
            if operation.operation_type is OperationType.CHAINED_INVOKE and is_open:
                self._continue_one(parent, operation)

    def _continue_one(self, parent: LocalExecution, operation: Operation) -> None:
        arn, operation_id = parent.durable_execution_arn, operation.operation_id
        child_arn = parent.chained_invoke_children.get(operation_id)
        try:
            if child_arn is None:
                asked = _start_of(parent, operation_id)
                options = asked.chained_invoke_options
                if options is not None:
                    target = self._invoker.find(options.function_name)
                    payload = asked.payload or EMPTY
                    self._run_target(arn, operation_id, target, options.tenant_id, payload)
                return
            child = self._written.load(child_arn)
        except ResourceNotFoundException as error:
            gone = _error(str(error), error_type(error))
            self._apply_chained_invoke_completion(
                arn, operation_id, OperationStatus.FAILED, None, gone
            )
            return
        if child.is_complete:
            self._apply_chained_invoke_completion(
                arn, operation_id, *self._child_terminal_to_completion(child)
            )


def _start_of(parent: LocalExecution, operation_id: str) -> OperationUpdate:
    return next(
        update
        for update in parent.updates
        if update.operation_id == operation_id and update.action is OperationAction.START
    )


def _error(message: str, kind: str, trace: list[str] | None = None) -> ErrorObject:
    return ErrorObject(message=message, type=kind, data=None, stack_trace=trace)
