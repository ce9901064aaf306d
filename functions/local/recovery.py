"""Recover after a start: continue every execution, start and event that had not ended.

A timer, a retry or an invocation lives only in the process that had it. Their causes
are in the database: each running execution gets its timers back with the time that
is left, and is replayed once, whether it seems to wait for something or not. (To replay
only those that look interrupted loses the ones that were killed between two
checkpoints.) Replay is what the SDK is made for: finished steps answer from the log.

The engine serves meanwhile. Each execution is read once; then the timers come back, then the
replays, each in the order of what is due. As many are replayed at once as there are threads for
it, so that a new start waits for one replay at most, and not for all of them.
"""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from aws_durable_execution_sdk_python_testing.exceptions import ResourceNotFoundException

from functions.local.errors import StorageError
from functions.local.execution_names import ExecutionNames
from functions.local.invocations import Invocations
from functions.local.patched_executor import LocalExecutor
from functions.local.patched_scheduler import LocalScheduler
from functions.local.store import WriteThroughStore

# Seconds for which the next execution waits for one whose row cannot be written.
LONGEST_WAIT = 1.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recovered:
    """Numbers of unfinished executions, reservations and events that a start found."""

    executions: int
    reservations: int
    events: int

    @property
    def total(self) -> int:
        """The sum of all three."""
        return self.executions + self.reservations + self.events


class Recovery:
    """Continue the executions of the previous process, on the scheduler's thread."""

    def __init__(
        self,
        *,
        store: WriteThroughStore,
        executor: LocalExecutor,
        scheduler: LocalScheduler,
        at_once: int,
    ) -> None:
        self._store = store
        self._executor = executor
        self._scheduler = scheduler
        self._replaying = asyncio.Semaphore(at_once)
        self._tasks: set[asyncio.Task[None]] = set()
        self._left = 0

    @property
    def left(self) -> int:
        """The number of executions that have still to be replayed."""
        return self._left

    def begin(self, unfinished: list[str]) -> None:
        """Continue these executions soon; until its turn, none is invoked by anything else."""
        if unfinished:
            self._left = len(unfinished)
            self._executor.hold(unfinished)
            self._scheduler.call_soon(partial(self._run, unfinished))

    async def _run(self, unfinished: list[str]) -> None:
        in_order = await asyncio.to_thread(self._in_order, unfinished)
        for arn in in_order:
            await self._started(self._executor.restore(arn))
        for arn in in_order:
            await self._replaying.acquire()
            self._start(self._replay(arn))
        logger.info("Recovered %s executions.", len(in_order))

    def _in_order(self, unfinished: list[str]) -> list[str]:
        """Read the executions, each once; return their ARNs, what is due first first."""
        due: dict[str, float] = {}
        for arn in unfinished:
            if self._executor.draining:
                break
            try:
                due[arn] = self._executor.due_at(self._store.load(arn))
            except ResourceNotFoundException:
                self._left -= 1  # set aside
            except StorageError:
                due[arn] = 0.0  # It is read again, until it can be.
        return sorted(due, key=due.__getitem__)

    async def _replay(self, arn: str) -> None:
        try:
            await self._executor.replay(arn)
        finally:
            self._left -= 1
            self._replaying.release()

    async def _started(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for it, but not so long that all others wait."""
        await asyncio.wait({self._start(work)}, timeout=LONGEST_WAIT)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def recover_starts(
    *,
    store: WriteThroughStore,
    names: ExecutionNames,
    invocations: Invocations,
) -> int:
    """Start what was accepted and not started; return the number of reservations."""
    reservations = names.unstarted()
    for reservation in reservations:
        try:
            if not store.exists(reservation.arn):
                invocations.start_reserved(reservation)
        except StorageError:
            logger.exception("[%s] Started by its sender, or the next time.", reservation.arn)
        except Exception as error:
            logger.exception("[%s] Set aside: it cannot be started.", reservation.arn)
            names.set_aside(reservation, f"{type(error).__name__}: {error}")
    return len(reservations)
