"""Extend the executor of the testing SDK for the engine.

This module, ``patched_invocations``, ``patched_checkpoints``, ``patched_chained_invokes``,
``patched_timers`` and ``patched_scheduler`` are the only ones that use private names of the testing
SDK, which is why its version is pinned exactly and checked at start. The names, and why:

``Executor._registry _store _clock _scheduler _invoker``
    Its parts, for work added in the same style as its own.
``Executor._invocation_pool``
    Replaced by a pool whose size the engine decides.
``Executor._launch_execution _complete_events``
    Replaced and extended: without completion events, which are never freed, and with
    everything about an ended execution dropped.
``Executor._invoke_handler _invoke_execution _finish_invocation
_fail_invocation_not_found _fail_after_invalid_output _invalid_output_error
_invocation_timeout_seconds _closing``
    An invocation whose claim and outcome are written until they are on disk.
``Executor.preflight_chained_invoke on_chained_invoke_started _notify_parent_of_terminal_child
_apply_chained_invoke_completion _child_terminal_to_completion _target_pool``
    Targets of ``context.invoke`` that survive a crash and a disk that refuses writes.
``Executor._checkpoint_execution _maybe_replay_cached _validate_invocation_response_and_store``
    Checked against AWS's limits before it is applied.
``Executor._begin_invocation _retry_after_error _set_invocation_gate``
    Guarded: no invocation begins while the engine stops, none is retried after the end.
``Executor._apply_timeout _apply_callback_timeout``
    Guarded: a timer that loses a race against the end changes nothing.
``Executor._process_callback_heartbeat _reset_callback_heartbeat_timeout``
    Extended: the heartbeat is stored, so that it survives a crash.
``Executor._set_paused _resume_execution _invocation_gate``
    Pause without waiting for the running invocation, as AWS does, and report PAUSING.
``Executor._execution_timeouts _callback_timeouts _callback_heartbeats _pending_wakeup
_pending_wakeup_lock _cleanup_callback_timeouts _schedule_callback_timeouts
_schedule_earliest_pending _fire_due_and_invoke_handler _fire_due_operations
_completion_events _validate_execution_arn``
    Timers, armed when their cause is on disk, again after a restart, and dropped at the end.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import version

from aws_durable_execution_sdk_python.lambda_service import (
    ErrorObject,
    OperationStatus,
    OperationType,
)
from aws_durable_execution_sdk_python_testing.checkpoint.processor import CheckpointProcessor
from aws_durable_execution_sdk_python_testing.clock import Clock
from aws_durable_execution_sdk_python_testing.exceptions import (
    IllegalStateException,
    InvalidParameterValueException,
    ResourceNotFoundException,
)
from aws_durable_execution_sdk_python_testing.execution import Execution
from aws_durable_execution_sdk_python_testing.model import (
    SendDurableExecutionCallbackFailureResponse,
    SendDurableExecutionCallbackHeartbeatResponse,
    SendDurableExecutionCallbackSuccessResponse,
)
from aws_durable_execution_sdk_python_testing.threads import DaemonThreadPool
from aws_durable_execution_sdk_python_testing.token import CallbackToken
from aws_durable_execution_sdk_python_testing.worker.checkpoint_tasks import CallableTask
from aws_durable_execution_sdk_python_testing.worker.status import InvocationState

from functions.local.completion_waiters import CompletionWaiters
from functions.local.errors import EngineError, callback_closed, conflict
from functions.local.execution_queues import ExecutionQueueRegistry
from functions.local.heartbeats import Heartbeats
from functions.local.invoker import ThreadInvoker
from functions.local.patched_checkpoints import CheckpointingExecutor
from functions.local.patched_scheduler import LocalScheduler
from functions.local.pauses import Pauses
from functions.local.store import WriteThroughStore

TESTING_SDK = "aws-durable-execution-sdk-python-testing"
TESTING_SDK_VERSION = "1.4.0"


def check_testing_sdk() -> None:
    """Raise ``EngineError`` unless the testing SDK is the version whose names are used."""
    installed = version(TESTING_SDK)
    if installed != TESTING_SDK_VERSION:
        raise EngineError(
            f"The engine is written for {TESTING_SDK} {TESTING_SDK_VERSION}, "
            f"but {installed} is installed."
        )


class LocalExecutor(CheckpointingExecutor):
    """The state machine of durable executions, extended to survive restarts."""

    def __init__(
        self,
        *,
        store: WriteThroughStore,
        scheduler: LocalScheduler,
        registry: ExecutionQueueRegistry,
        invoker: ThreadInvoker,
        heartbeats: Heartbeats,
        pauses: Pauses,
        region: str,
        handler_threads: int,
        invocation_timeout_seconds: int,
        retry_backoff_seconds: int,
        death_delays: Sequence[float],
        clock: Clock,
    ) -> None:
        super().__init__(
            store=store,
            scheduler=scheduler,
            invoker=invoker,
            checkpoint_processor=CheckpointProcessor(store, scheduler),
            registry=registry,
            region=region,
            invocation_timeout_seconds=invocation_timeout_seconds,
            clock=clock,
        )
        self.RETRY_BACKOFF_SECONDS = retry_backoff_seconds
        self._invocation_pool = DaemonThreadPool(handler_threads, "durable-handler")
        self._heartbeats = heartbeats
        self._pauses = pauses
        self._written = store
        self._queues = registry
        self._timers = scheduler
        self._death_delays = death_delays
        self._handler_threads = handler_threads
        self._waiters = CompletionWaiters()

    # Waiting, stopping.

    def wait_until_ended(self, execution_arn: str, timeout: float) -> bool:
        """Return true when the execution has ended, at once or within ``timeout`` seconds."""
        return self._waiters.wait(
            execution_arn, lambda: self.get_execution(execution_arn).is_complete, timeout
        )

    @property
    def draining(self) -> bool:
        """True while the engine is stopping."""
        return self._draining

    def drain(self) -> None:
        """Begin no further invocation, and release the threads that wait for an end."""
        self._draining = True
        self._waiters.release_all()

    def tracked(self) -> dict[str, int]:
        """Return the sizes of the maps that must be empty when nothing runs."""
        return {
            "execution timeouts": len(self._execution_timeouts),
            "callback timeouts": len(self._callback_timeouts),
            "callback heartbeats": len(self._callback_heartbeats),
            "wake-ups": len(self._pending_wakeup),
            "completion events": len(self._completion_events),
            "waiters": len(self._waiters),
            "chained targets": len(self._targets) + len(self._held_targets),
            "queues": self._registry.active_count(),
            "scheduler events": self._scheduler.event_count(),
            "scheduler tasks": self._scheduler.task_count(),
        }

    def _launch_execution(self, execution: Execution, timeout_seconds: int) -> None:  # noqa: ARG002
        self._arm_execution_timeout(execution)
        self._invoke_execution(execution.durable_execution_arn)

    def _complete_events(self, execution_arn: str) -> None:
        for operation in self.get_execution(execution_arn).get_navigable_operations():
            if operation.operation_type is OperationType.CALLBACK and operation.callback_details:
                self._close_callback(operation.callback_details.callback_id)
        self._after_write(lambda: self._let_go(execution_arn))

    def _let_go(self, execution_arn: str) -> None:
        super()._complete_events(execution_arn)
        with self._pending_wakeup_lock:
            wakeup = self._pending_wakeup.pop(execution_arn, None)
        if wakeup is not None:
            wakeup.cancel()
        self._waiters.announce(execution_arn)

    # Callbacks. The checks run on the execution's queue, so that of two answers one loses.

    def send_callback_success(
        self, callback_id: str, result: bytes | None = None
    ) -> SendDurableExecutionCallbackSuccessResponse:
        """Answer a callback and wake its execution."""
        self._settle_callback(
            callback_id,
            lambda execution: execution.complete_callback_success(
                callback_id, result, now=self._clock.now()
            ),
        )
        return SendDurableExecutionCallbackSuccessResponse()

    def send_callback_failure(
        self, callback_id: str, error: ErrorObject | None = None
    ) -> SendDurableExecutionCallbackFailureResponse:
        """Answer a callback with a failure and wake its execution."""
        failure = error or ErrorObject(message=None, type=None, data=None, stack_trace=None)
        self._settle_callback(
            callback_id,
            lambda execution: execution.complete_callback_failure(
                callback_id, failure, now=self._clock.now()
            ),
        )
        return SendDurableExecutionCallbackFailureResponse()

    def send_callback_heartbeat(
        self, callback_id: str
    ) -> SendDurableExecutionCallbackHeartbeatResponse:
        """Restart a callback's heartbeat timeout."""
        self._on_queue(
            _execution_of(callback_id), lambda: self._process_callback_heartbeat(callback_id)
        )
        return SendDurableExecutionCallbackHeartbeatResponse()

    def _settle_callback(self, callback_id: str, settle: Callable[[Execution], object]) -> None:
        execution_arn = _execution_of(callback_id)

        def apply() -> None:
            execution = self._with_open_callback(callback_id)
            settle(execution)
            self._store.update(execution)
            self._close_callback(callback_id)

        self._on_queue(execution_arn, apply)
        self._invoke_execution(execution_arn)

    def _process_callback_heartbeat(self, callback_id: str) -> None:
        execution = self._with_open_callback(callback_id)
        self._heartbeats.beat(callback_id)
        self._reset_callback_heartbeat_timeout(callback_id, execution.durable_execution_arn)

    def _apply_callback_timeout(self, callback_id: str, error: ErrorObject) -> None:
        execution = self.get_execution(_execution_of(callback_id))
        _, operation = execution.find_callback_operation(callback_id)
        if operation.status is OperationStatus.STARTED:
            super()._apply_callback_timeout(callback_id, error)
        self._close_callback(callback_id)

    def _with_open_callback(self, callback_id: str) -> Execution:
        execution = self.get_execution(_execution_of(callback_id))
        try:
            _, operation = execution.find_callback_operation(callback_id)
        except IllegalStateException as error:
            raise ResourceNotFoundException("Callback does not exist") from error
        if execution.is_complete or operation.status is not OperationStatus.STARTED:
            raise callback_closed()
        return execution

    # Pausing.

    def pause(
        self, execution_arn: str, *, token: str | None, reason: str | None, stops_clock: bool
    ) -> None:
        """Pause at the running invocation's next checkpoint, or at once when none runs."""

        def apply() -> None:
            execution = self.get_execution(execution_arn)
            if execution.is_complete:
                raise conflict("The execution has already ended.")
            if execution.is_paused:
                pause = self._pauses.current(execution_arn)
                if pause is None or token is None or pause.token != token:
                    raise conflict("The execution is already paused.")
                return
            self._pauses.begin(execution_arn, token=token, reason=reason, stops_clock=stops_clock)
            self._set_paused(execution_arn)
            self._arm_execution_timeout(execution)

        self._on_queue(execution_arn, apply)

    def resume(self, execution_arn: str, *, token: str | None, reason: str | None) -> None:
        """End a pause; an invocation that was held back begins."""

        def apply() -> None:
            execution = self.get_execution(execution_arn)
            if execution.is_complete:
                raise conflict("The execution has already ended.")
            if not execution.is_paused:
                if not self._pauses.resumed_with(execution_arn, token):
                    raise conflict("The execution is not paused.")
                return
            self._resume_execution(execution_arn)
            self._pauses.end(execution_arn, token=token, reason=reason)
            self._arm_execution_timeout(execution)

        self._on_queue(execution_arn, apply)

    def shown_status(self, execution: Execution) -> str:
        """Return the status as AWS shows it."""
        if execution.is_complete or not execution.is_paused:
            return execution.current_status().value
        gate = self._invocation_gate(execution.durable_execution_arn)
        return "PAUSING" if gate is InvocationState.INVOKING else "PAUSED"

    def _on_queue(self, execution_arn: str, change: Callable[[], None]) -> None:
        self._validate_execution_arn(execution_arn)
        self._registry.submit(execution_arn, CallableTask(change)).result()


def _execution_of(callback_id: str) -> str:
    try:
        return CallbackToken.from_str(callback_id).execution_arn
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidParameterValueException("Invalid callback ID") from error
