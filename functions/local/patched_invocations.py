"""Extend the executor of the testing SDK: invocations that survive a disk that refuses writes.

Replaces ``Executor._invoke_handler``: the claim of an invocation and what comes of it are written
again and again until they are on disk, so that no execution stands still because of one failed
write, and a handler that has run is not run again for it. An invocation that lost a checkpoint to
the disk is repeated, and is no failed attempt of the function. ``patched_executor`` lists the
private names.
"""

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Collection, Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import cached_property

from aws_durable_execution_sdk_python.execution import DurableExecutionInvocationInput
from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from aws_durable_execution_sdk_python_testing.exceptions import (
    InvalidInvocationOutputError,
    ResourceNotFoundException,
)
from aws_durable_execution_sdk_python_testing.execution import Execution
from aws_durable_execution_sdk_python_testing.executor import Executor
from aws_durable_execution_sdk_python_testing.invoker import InvokeResponse
from aws_durable_execution_sdk_python_testing.worker.checkpoint_tasks import CallableTask
from aws_durable_execution_sdk_python_testing.worker.status import InvocationState

from functions.local.errors import CheckpointLostError, RuntimeExitedError, StorageError
from functions.local.execution_queues import ExecutionQueueRegistry, run_elsewhere
from functions.local.patched_scheduler import LocalScheduler
from functions.local.store import WriteThroughStore

# Seconds between the tries of a write that fails: doubled from the first to the last.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
# Seconds until an execution is continued whose task raised something unexpected.
AGAIN_AFTER = 5.0

# Deaths of the process from which on an execution is invoked while no other suspect is.
SUSPECT = 2

# Invocations beyond the number of threads whose claim or outcome is being written meanwhile.
CLAIMED_AHEAD = 4

# Lambda's types of errors of an invocation whose runtime has ended, or took too long.
EXIT_ERROR = "Runtime.ExitError"
TIMEOUT_ERROR = "Sandbox.Timedout"

type Claim = tuple[Execution, DurableExecutionInvocationInput, int]

logger = logging.getLogger(__name__)


def _as_error(kind: str, message: str) -> ErrorObject:
    return ErrorObject(message=message, type=kind, data=None, stack_trace=None)


def _failure_of(error: Exception) -> ErrorObject:
    if isinstance(error, RuntimeExitedError):
        return _as_error(EXIT_ERROR, str(error))
    return ErrorObject.from_exception(error)


def _exited(deaths: int) -> ErrorObject:
    """Return the error of Lambda for a runtime that ended during the invocation."""
    return _as_error(EXIT_ERROR, f"Runtime exited without providing a reason ({deaths} times)")


class InvokingExecutor(Executor):
    """The part that invokes handlers."""

    _draining = False
    _written: WriteThroughStore
    _queues: ExecutionQueueRegistry
    _timers: LocalScheduler
    _death_delays: Sequence[float]
    _handler_threads: int

    @cached_property
    def _unrestored(self) -> set[str]:
        """Executions of the previous process whose timers are not back yet."""
        return set()

    @cached_property
    def _asked(self) -> set[str]:
        """Held executions that something wanted to invoke."""
        return set()

    @cached_property
    def _unreplayed(self) -> set[str]:
        """Executions of the previous process that were not invoked since."""
        return set()

    @cached_property
    def _suspects(self) -> asyncio.Lock:
        return asyncio.Lock()

    @cached_property
    def _slots(self) -> asyncio.Semaphore:
        return asyncio.Semaphore(self._handler_threads + CLAIMED_AHEAD)

    async def until_written[T](self, execution_arn: str, change: Callable[[], T]) -> T:
        """Make a change on the execution's queue; try again while the disk refuses it."""
        pause = FIRST_PAUSE
        while True:
            try:
                return await self._queues.run(execution_arn, CallableTask(change))
            except StorageError as error:
                if self._is_closing():
                    raise
                logger.warning("[%s] Again in %.1f s: %s", execution_arn, pause, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def unfailing(
        self, execution_arn: str, work: Callable[[], Awaitable[None]]
    ) -> Callable[[], Awaitable[None]]:
        """Return the work of a timer, which continues the execution later if it raises."""

        async def run() -> None:
            try:
                await work()
            except Exception:
                if self._draining or self._is_closing():
                    return
                logger.exception("[%s] Continued in %s s.", execution_arn, AGAIN_AFTER)
                self.rearm_soon(execution_arn, delay=AGAIN_AFTER)

        return run

    def rearm_soon(self, execution_arn: str, *, delay: float = 0) -> Future[None]:
        """Restore the timers of an execution and replay it, on the scheduler's thread."""
        return self._scheduler.call_later(
            self.unfailing(execution_arn, lambda: self.rearm(execution_arn)), delay=delay
        )

    # Recovery holds executions: what wants to invoke one of them waits until its timers are back.

    def hold(self, execution_arns: Collection[str]) -> None:
        """Invoke none of these executions before it is restored."""
        self._unrestored.update(execution_arns)
        self._unreplayed.update(execution_arns)

    @property
    def unrestored(self) -> Collection[str]:
        """The executions that are not restored yet."""
        return self._unrestored

    def _let_continue(self, execution_arn: str, delay: float | None) -> None:
        """Let a restored execution be invoked, after a delay; ``None``: it has ended."""
        self._unrestored.discard(execution_arn)
        was_asked = execution_arn in self._asked
        self._asked.discard(execution_arn)
        if delay is None:
            self._unreplayed.discard(execution_arn)
        elif delay > 0:
            self._unreplayed.discard(execution_arn)
            self._invoke_execution(execution_arn, delay=delay)
        elif was_asked:
            self._invoke_execution(execution_arn)

    async def replay(self, execution_arn: str) -> None:
        """Invoke a restored execution, unless it was invoked since."""
        if execution_arn in self._unreplayed:
            self._unreplayed.discard(execution_arn)
            if execution_arn not in self._unrestored:
                await self._invoke_handler(execution_arn)()

    @abstractmethod
    async def rearm(self, execution_arn: str) -> None:
        """Restore the timers of an execution and replay it."""

    def _invoke_handler(self, execution_arn: str) -> Callable[[], Awaitable[None]]:
        return self.unfailing(execution_arn, lambda: self._invoke(execution_arn))

    async def _invoke(self, execution_arn: str) -> None:
        if self._written.load(execution_arn).deaths < SUSPECT:
            await self._invoke_now(execution_arn)
            return
        # It may have killed the process. Alone, it does not drag others down with it.
        async with self._suspects:
            await self._invoke_now(execution_arn)

    async def _invoke_now(self, execution_arn: str) -> None:
        # Claimed when there is a thread for it: what only waits is not under way.
        async with self._slots:
            await self._claim_and_run(execution_arn)

    async def _claim_and_run(self, execution_arn: str) -> None:
        claim: Claim | None = await self.until_written(
            execution_arn, lambda: self._begin_invocation(execution_arn)
        )
        if claim is None:
            return
        outcome = await self._outcome(execution_arn, claim)
        if self._is_closing():
            return
        try:
            await self.until_written(execution_arn, outcome)
        except Exception as error:
            if self._is_closing():
                return
            logger.exception("[%s] The outcome of an invocation is refused.", execution_arn)
            failure = ErrorObject.from_exception(error)
            try:
                await self.until_written(
                    execution_arn, lambda: self._retry_after_error(execution_arn, failure)
                )
            except Exception:
                await self.until_written(execution_arn, lambda: self._release(execution_arn))
                raise

    def _is_closing(self) -> bool:
        return self._closing

    def _release(self, execution_arn: str) -> None:
        self._set_invocation_gate(execution_arn, InvocationState.PRE_INVOKE)

    async def _outcome(self, execution_arn: str, claim: Claim) -> Callable[[], None]:
        """Run the handler; return the change that follows from how it ended."""
        execution, invocation_input, sequence = claim
        began = self._clock.now()
        try:
            response = await asyncio.wait_for(
                run_elsewhere(
                    self._invocation_pool.submit, lambda: self._call(execution, invocation_input)
                ),
                timeout=self._invocation_timeout_seconds,
            )
        except ResourceNotFoundException as error:
            logger.warning("[%s] The function does not exist any more.", execution_arn)
            missing = ErrorObject(
                message=str(error) or "Function not found",
                type="ResourceNotFoundException",
                data=None,
                stack_trace=None,
            )
            return lambda: self._fail_invocation_not_found(execution_arn, missing)
        except InvalidInvocationOutputError as error:
            return self._invalid(execution_arn, error, began)
        except TimeoutError:
            return self._timed_out(execution_arn)
        except CheckpointLostError:
            logger.warning("[%s] Repeated: a checkpoint was not written.", execution_arn)
            return lambda: self._repeat(execution_arn)
        except Exception as error:  # noqa: BLE001 - all of it is a failed attempt
            logger.warning("[%s] Invocation failed: %s", execution_arn, error)
            failure = _failure_of(error)
            return lambda: self._retry_after_error(execution_arn, failure)
        ended = self._clock.now()
        return lambda: self._finish_invocation(execution_arn, response, began, ended, sequence)

    def _call(self, execution: Execution, event: DurableExecutionInvocationInput) -> InvokeResponse:
        start = execution.start_input
        return self._invoker.invoke(
            f"{start.function_name}:{start.function_qualifier}",
            event,
            start.lambda_endpoint,
            tenant_id=start.tenant_id,
            account_id=start.account_id,
            region_name=execution.region,
        )

    def _invalid(
        self, execution_arn: str, error: InvalidInvocationOutputError, began: datetime
    ) -> Callable[[], None]:
        logger.warning("[%s] Lambda output validation failure: %s", execution_arn, error)
        ended, failure = self._clock.now(), self._invalid_output_error(str(error))
        request_id = error.request_id

        def fail() -> None:
            execution = self._written.load(execution_arn)
            known_as = request_id or execution.current_invocation_id
            execution.invocation_errors[known_as] = dict(failure.to_dict())
            self._fail_after_invalid_output(execution_arn, failure, began, ended, known_as)

        return fail

    def _timed_out(self, execution_arn: str) -> Callable[[], None]:
        request_id = self._written.load(execution_arn).current_invocation_id
        failure = _as_error(
            TIMEOUT_ERROR,
            f"RequestId: {request_id} Error: Task timed out after "
            f"{self._invocation_timeout_seconds:.2f} seconds",
        )
        logger.warning("[%s] %s", execution_arn, failure.message)
        return lambda: self._retry_after_error(execution_arn, failure)

    def _repeat(self, execution_arn: str) -> None:
        self._release(execution_arn)
        self._invoke_execution(execution_arn, delay=FIRST_PAUSE)

    # On the queue. An invocation that is due is scheduled when the change is on disk.

    def _invoke_execution(self, execution_arn: str, delay: float = 0) -> None:
        invoke = self._invoke_handler(execution_arn)
        if delay > 0:
            self._after_write(lambda: self._timers.call_later(invoke, delay=delay))
        else:
            self._after_write(lambda: self._timers.call_soon(invoke))

    def _begin_invocation(self, execution_arn: str) -> Claim | None:
        if self._draining:
            return None
        if execution_arn in self._unrestored:
            self._asked.add(execution_arn)
            return None
        self._unreplayed.discard(execution_arn)
        return super()._begin_invocation(execution_arn)

    def _retry_after_error(self, execution_arn: str, error: ErrorObject) -> None:
        if self._draining:
            # This is no failed attempt: the next engine replays it.
            self._release(execution_arn)
            return
        execution = self._written.load(execution_arn)
        execution.record_failed_invocation(self._clock.now(), error)
        self._written.save(execution)
        self._release(execution_arn)
        if not execution.is_complete:
            super()._retry_after_error(execution_arn, error)

    def _after_write(self, follow: Callable[[], object]) -> None:
        """Call this when the changes of the running task are on disk."""
        self._written.after_write(follow)

    # Deaths. The row of an execution says whether an invocation was under way in it.

    def _set_invocation_gate(self, arn: str, status: InvocationState) -> None:
        super()._set_invocation_gate(arn, status)
        execution = self._written.load(arn)
        is_invoked = status is InvocationState.INVOKING
        if execution.is_invoked != is_invoked:
            execution.is_invoked = is_invoked
            execution.invoked_at = self._clock.now() if is_invoked else None
            self._written.save(execution)

    def _finish_invocation(
        self,
        execution_arn: str,
        invoke_response: InvokeResponse,
        invocation_start: datetime,
        invocation_end: datetime,
        invocation_seq: int | None = None,
    ) -> None:
        execution = self._written.load(execution_arn)
        execution.deaths = 0
        error = invoke_response.invocation_output.error
        if error is not None:
            execution.invocation_errors[invoke_response.request_id] = dict(error.to_dict())
        super()._finish_invocation(
            execution_arn, invoke_response, invocation_start, invocation_end, invocation_seq
        )

    def _count_death(self, execution_arn: str) -> float | None:
        """Count a death of the process during an invocation.

        Return the seconds to wait before the next one, or ``None``: the execution has failed, as
        on Lambda after as many runtimes that exited.
        """
        execution = self._written.load(execution_arn)
        if execution.is_invoked:
            execution.is_invoked = False
            execution.deaths += 1
            execution.record_failed_invocation(self._clock.now(), _exited(execution.deaths))
            self._written.save(execution)
        if execution.deaths <= len(self._death_delays):
            return self._death_delays[execution.deaths - 1] if execution.deaths else 0.0
        self._fail_workflow(execution_arn, _exited(execution.deaths))
        return None
