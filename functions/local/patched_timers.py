"""Extend the executor of the testing SDK: timers that survive a restart and a disk that refuses.

Every timer has a due time on the wall clock that follows from what is on disk, is armed when the
change that it follows from is on disk, and strikes until the change that it makes is. So a restart
arms all of them again with the time that is left. ``patched_executor`` lists the private names.
"""

import logging
import math
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import override

from aws_durable_execution_sdk_python.lambda_service import (
    CallbackOptions,
    CallbackTimeoutType,
    ErrorObject,
    OperationStatus,
)
from aws_durable_execution_sdk_python_testing.exceptions import ResourceNotFoundException
from aws_durable_execution_sdk_python_testing.execution import Execution
from aws_durable_execution_sdk_python_testing.token import CallbackToken
from aws_durable_execution_sdk_python_testing.worker.status import InvocationState

from functions.local.heartbeats import Heartbeats
from functions.local.history import callback_options
from functions.local.local_execution import LocalExecution
from functions.local.patched_invocations import InvokingExecutor
from functions.local.pauses import Pauses

LONGEST_EXECUTION = timedelta(days=366)

logger = logging.getLogger(__name__)


class TimedExecutor(InvokingExecutor):
    """The part that arms timers: of executions, callbacks, waits and retries of steps."""

    _heartbeats: Heartbeats
    _pauses: Pauses

    # The execution's clock.

    def times_out_at(self, execution: Execution) -> datetime | None:
        """Return when the execution times out, counting pauses; ``None`` for never."""
        timeout = execution.start_input.execution_timeout_seconds
        started = execution.get_operation_execution_started().start_timestamp
        if timeout <= 0 or started is None:
            return None
        latest = started + LONGEST_EXECUTION
        arn = execution.durable_execution_arn
        if execution.is_paused:
            pause = self._pauses.current(arn)
            if pause is not None and pause.stops_clock:
                return latest
        paused_seconds = self._pauses.paused_seconds(arn)
        return min(latest, started + timedelta(seconds=timeout + paused_seconds))

    def _arm_execution_timeout(self, execution: Execution) -> None:
        arn = execution.durable_execution_arn
        ends = self.times_out_at(execution)
        seconds = execution.start_input.execution_timeout_seconds
        error = ErrorObject.from_message(f"Execution timed out after {seconds} seconds.")

        async def strike() -> None:
            logger.warning("[%s] Execution timed out.", arn)
            await self.until_written(arn, lambda: self._apply_timeout(arn, error))

        def arm() -> None:
            armed = self._execution_timeouts.pop(arn, None)
            if armed is not None:
                armed.cancel()
            if ends is not None:
                self._execution_timeouts[arn] = self._scheduler.call_later(
                    self.unfailing(arn, strike), delay=self._left(ends)
                )

        self._after_write(arm)

    def _apply_timeout(self, execution_arn: str, error: ErrorObject) -> None:
        execution = self.get_execution(execution_arn)
        ends = self.times_out_at(execution)
        if execution.is_complete:
            return
        if ends is not None and ends > self._clock.now():
            # Paused or resumed just now, or the wall clock was set back.
            self._arm_execution_timeout(execution)
            return
        super()._apply_timeout(execution_arn, error)
        self._complete_events(execution_arn)

    def _left(self, moment: datetime) -> float:
        return max(0.0, (moment - self._clock.now()).total_seconds())

    # Recovery.

    @override
    async def rearm(self, execution_arn: str) -> None:
        """Restore the timers, with the time that is left, and replay."""
        delay = await self._restored(execution_arn)
        self._let_continue(execution_arn, delay)
        if delay == 0:
            self._invoke_execution(execution_arn)

    async def restore(self, execution_arn: str) -> None:
        """Restore the timers only, and let the execution be invoked."""

        async def work() -> None:
            self._let_continue(execution_arn, await self._restored(execution_arn))

        await self.unfailing(execution_arn, work)()

    async def _restored(self, execution_arn: str) -> float | None:
        try:
            delay = await self.until_written(execution_arn, lambda: self._rearm(execution_arn))
        except ResourceNotFoundException:
            logger.warning("[%s] Deleted or set aside.", execution_arn)
            return None
        if delay is None:
            return None
        if delay:
            logger.warning(
                "[%s] The process died during its invocation; again in %s s.", execution_arn, delay
            )
        self._schedule_earliest_pending(execution_arn)
        return delay

    def due_at(self, execution: LocalExecution) -> float:
        """Return the Unix time at which something is due; 0 for what was interrupted at work."""
        ends = self.times_out_at(execution)
        moments = [] if ends is None else [ends]
        if not execution.is_paused:
            if (
                execution.is_invoked
                or execution.needs_reinvoke
                or execution.has_unseen_changes()
                or not execution.has_pending_operations(execution)
            ):
                return 0.0
            wakes = self._earliest_pending_timestamp(execution)
            moments += [] if wakes is None else [wakes]
        for _, options, started, last_beat in self._open_callbacks(execution):
            if options.timeout_seconds > 0:
                moments.append(started + timedelta(seconds=options.timeout_seconds))
            if options.heartbeat_timeout_seconds > 0:
                moments.append(last_beat + timedelta(seconds=options.heartbeat_timeout_seconds))
        return min((moment.timestamp() for moment in moments), default=math.inf)

    def _open_callbacks(
        self, execution: Execution
    ) -> Iterator[tuple[str, CallbackOptions, datetime, datetime]]:
        """Yield id, options, start and last heartbeat of each callback that is not answered."""
        for operation in execution.get_navigable_operations():
            details = operation.callback_details
            if details and operation.status is OperationStatus.STARTED:
                options = callback_options(execution, operation.operation_id)
                started = operation.start_timestamp or self._clock.now()
                last_beat = self._heartbeats.last(details.callback_id) or started
                yield details.callback_id, options, started, last_beat

    def _rearm(self, execution_arn: str) -> float | None:
        """Return the seconds until it is replayed; ``None`` if it has ended."""
        execution = self.get_execution(execution_arn)
        if execution.is_complete:
            return None
        is_here = self._invocation_gate(execution_arn) is InvocationState.INVOKING
        delay = 0.0 if is_here else self._count_death(execution_arn)
        if delay is None:
            return None
        if not execution.is_paused:
            self._pauses.discard_open(execution_arn)
        self._arm_execution_timeout(execution)
        for callback_id, options, started, last_beat in self._open_callbacks(execution):
            self._arm_callback(execution_arn, callback_id, options, started, last_beat)
        return delay

    # Waits and retries of steps.

    def _schedule_earliest_pending(self, execution_arn: str) -> None:
        schedule = super()._schedule_earliest_pending
        self._after_write(lambda: schedule(execution_arn))

    def _fire_due_and_invoke_handler(self, execution_arn: str) -> Callable[[], Awaitable[None]]:
        async def strike() -> None:
            completed = await self.until_written(
                execution_arn, lambda: self._fire_due_operations(execution_arn)
            )
            if completed:
                self._invoke_execution(execution_arn)
            self._schedule_earliest_pending(execution_arn)

        return self.unfailing(execution_arn, strike)

    # Callbacks.

    def _schedule_callback_timeouts(
        self, execution_arn: str, callback_options: CallbackOptions | None, callback_id: str
    ) -> None:
        if callback_options is not None:
            now = self._clock.now()
            self._arm_callback(execution_arn, callback_id, callback_options, now, now)

    def _reset_callback_heartbeat_timeout(self, callback_id: str, execution_arn: str) -> None:
        execution = self.get_execution(execution_arn)
        options = callback_options(execution, CallbackToken.from_str(callback_id).operation_id)
        now = self._clock.now()
        self._after_write(
            lambda: self._arm_heartbeat(
                execution_arn, callback_id, now, options.heartbeat_timeout_seconds
            )
        )

    def _arm_callback(
        self,
        execution_arn: str,
        callback_id: str,
        options: CallbackOptions,
        started: datetime,
        last_beat: datetime,
    ) -> None:
        def arm() -> None:
            self._cleanup_callback_timeouts(callback_id)
            if options.timeout_seconds > 0:
                self._callback_timeouts[callback_id] = self._scheduler.call_later(
                    self._callback_strike(execution_arn, callback_id, CallbackTimeoutType.TIMEOUT),
                    delay=self._left(started + timedelta(seconds=options.timeout_seconds)),
                )
            self._arm_heartbeat(
                execution_arn, callback_id, last_beat, options.heartbeat_timeout_seconds
            )

        self._after_write(arm)

    def _arm_heartbeat(
        self, execution_arn: str, callback_id: str, last_beat: datetime, seconds: int
    ) -> None:
        armed = self._callback_heartbeats.pop(callback_id, None)
        if armed is not None:
            armed.cancel()
        if seconds > 0:
            self._callback_heartbeats[callback_id] = self._scheduler.call_later(
                self._callback_strike(execution_arn, callback_id, CallbackTimeoutType.HEARTBEAT),
                delay=self._left(last_beat + timedelta(seconds=seconds)),
            )

    def _callback_strike(
        self, execution_arn: str, callback_id: str, kind: CallbackTimeoutType
    ) -> Callable[[], Awaitable[None]]:
        sentence = {
            CallbackTimeoutType.TIMEOUT: "Callback timed out",
            CallbackTimeoutType.HEARTBEAT: "Callback timed out on heartbeat",
        }[kind]
        error = ErrorObject(message=sentence, type=kind.value, data=None, stack_trace=None)

        async def strike() -> None:
            await self.until_written(
                execution_arn, lambda: self._apply_callback_timeout(callback_id, error)
            )
            logger.warning("[%s] %s: %s", execution_arn, sentence, callback_id)
            self._invoke_execution(execution_arn)

        return self.unfailing(execution_arn, strike)

    def _close_callback(self, callback_id: str) -> None:
        if callback_id in self._callback_heartbeats:
            self._heartbeats.forget(callback_id)
        self._after_write(lambda: self._cleanup_callback_timeouts(callback_id))
