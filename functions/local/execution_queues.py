"""Serial queues, one for each execution, on a few shared threads.

The executor applies the changes of one execution one after the other. The testing SDK gives
each running execution a thread for that: a thousand executions that wait for a person are a
thousand idle threads. Here each execution has a queue, and a small pool runs whichever queues
have work. A queue with no work and no running invocation is dropped, because to the executor
no queue means "not invoked yet".

Queued tasks never wait for other queues, so a small pool cannot deadlock.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue

from aws_durable_execution_sdk_python_testing.execution import Execution
from aws_durable_execution_sdk_python_testing.scheduler import Scheduler
from aws_durable_execution_sdk_python_testing.worker.registry import ExecutionRegistry
from aws_durable_execution_sdk_python_testing.worker.status import InvocationState
from aws_durable_execution_sdk_python_testing.worker.task import ExecutionTask

from functions.local.store import WriteThroughStore

QUEUE_THREADS = 4

logger = logging.getLogger(__name__)

type Run = Callable[[ExecutionQueue], None]


def outcome_of[T](
    work: Callable[[], T],
    returned: Callable[[T], None],
    raised: Callable[[BaseException], None],
) -> Callable[[], None]:
    """Do some work; returns the call that passes its value or its error to whoever waits.

    An exit is passed on as well: who waits would wait for ever.
    """
    try:
        value = work()
    except BaseException as error:  # noqa: BLE001 - raised where it is waited for
        return partial(raised, error)
    return partial(returned, value)


async def run_elsewhere[**P, T](
    submit: Callable[[Callable[P, None]], object], work: Callable[P, T]
) -> T:
    """Await work that ``submit`` takes to another thread, unless nobody waits when it begins.

    It costs less than to wrap a future of ``concurrent.futures``.
    """
    loop = asyncio.get_running_loop()
    waiting: asyncio.Future[T] = loop.create_future()

    def announce(outcome: Callable[[], None]) -> None:
        if not waiting.done():  # else it was cancelled: nobody waits any more
            outcome()

    def run(*given: P.args, **named: P.kwargs) -> None:
        if waiting.cancelled():
            return
        outcome = outcome_of(
            partial(work, *given, **named), waiting.set_result, waiting.set_exception
        )
        try:
            loop.call_soon_threadsafe(announce, outcome)
        except RuntimeError:
            logger.debug("The engine has stopped, and nobody hears of %s.", work)

    submit(run)
    return await waiting


class ExecutionQueue:
    """The queue of one execution, and its invocation state."""

    def __init__(self, execution_arn: str, store: WriteThroughStore) -> None:
        self.arn = execution_arn
        self.tasks: deque[Run] = deque()
        self.scheduled = False
        self._store = store
        self._status = InvocationState.PRE_INVOKE

    @property
    def status(self) -> InvocationState:
        """The invocation state; authoritative inside a task of this queue."""
        return self._status

    def set_status(self, status: InvocationState) -> None:
        """Set the invocation state; the executor calls it from inside a task."""
        self._status = status

    def reload(self) -> Execution:
        """Load the execution as it is now."""
        return self._store.load(self.arn)

    def run[T](self, task: ExecutionTask[T]) -> T:
        """Run one task; its changes are on disk when this returns.

        A task that raises, or whose write fails, has changed nothing, the state included.
        """
        before = self._status
        try:
            with self._store.one_write():
                outcome = task.execute(self._status, self)
                self._status = outcome.next_status
        except BaseException:
            self._status = before
            raise
        return outcome.value


class ExecutionQueueRegistry(ExecutionRegistry):
    """Create and find queues; replaces every public method of the base class."""

    def __init__(self, store: WriteThroughStore, scheduler: Scheduler) -> None:
        super().__init__(store, scheduler)
        self._write_through = store
        self._queues: dict[str, ExecutionQueue] = {}
        self._guard = threading.Lock()
        self._idle = threading.Condition(self._guard)
        self._scheduled: SimpleQueue[ExecutionQueue | None] = SimpleQueue()
        self._threads = 0
        self._closed = False

    # The queue replaces the base class's worker: same methods, no thread of its own.
    def get_or_create(self, execution_arn: str) -> ExecutionQueue:  # type: ignore[override]
        """Return the queue of an execution, created if absent."""
        with self._guard:
            return self._queue(execution_arn)

    def get(self, execution_arn: str) -> ExecutionQueue | None:  # type: ignore[override]
        """Return the queue of an execution if it has one."""
        with self._guard:
            return self._queues.get(execution_arn)

    def submit[T](self, execution_arn: str, task: ExecutionTask[T]) -> Future[T]:
        """Queue a task; raises ``RuntimeError`` once the engine has stopped."""
        future: Future[T] = Future()

        def run(queue: ExecutionQueue) -> None:
            if not future.set_running_or_notify_cancel():
                return
            outcome_of(partial(queue.run, task), future.set_result, future.set_exception)()

        self._append(execution_arn, run)
        return future

    async def run[T](self, execution_arn: str, task: ExecutionTask[T]) -> T:
        """Queue a task and await it: ``submit`` for an event loop, with one future less."""
        return await run_elsewhere(
            lambda run: self._append(execution_arn, run), lambda queue: queue.run(task)
        )

    def remove(self, execution_arn: str) -> None:
        """Drop a queue; a queue drops itself when it has nothing to do."""
        with self._guard:
            self._queues.pop(execution_arn, None)

    def active_count(self) -> int:
        """Count the executions with work queued or a handler running."""
        with self._guard:
            return len(self._queues)

    def wait_until_idle(self, timeout: float) -> bool:
        """Return true when no queue has work or a running handler, at once or in time."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._queues, timeout)

    def shutdown(self) -> None:
        """Refuse new tasks and drop the queued ones."""
        with self._guard:
            self._closed = True
            self._queues.clear()
            for _ in range(self._threads):
                self._scheduled.put(None)

    def _append(self, execution_arn: str, run: Run) -> None:
        with self._guard:
            queue = self._queue(execution_arn)
            queue.tasks.append(run)
            if queue.scheduled:
                return
            queue.scheduled = True
            self._scheduled.put(queue)
            if self._threads < QUEUE_THREADS:
                name = f"execution-queue_{self._threads}"
                self._threads += 1
                threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        while (queue := self._scheduled.get()) is not None and not self._closed:
            self._drain(queue)

    def _queue(self, execution_arn: str) -> ExecutionQueue:
        if self._closed:
            raise RuntimeError("The engine is stopping.")
        queue = self._queues.get(execution_arn)
        if queue is None:
            queue = self._queues[execution_arn] = ExecutionQueue(execution_arn, self._write_through)
        return queue

    def _drain(self, queue: ExecutionQueue) -> None:
        while True:
            with self._guard:
                if not queue.tasks:
                    queue.scheduled = False
                    if queue.status is not InvocationState.INVOKING:
                        self._queues.pop(queue.arn, None)
                        if not self._queues:
                            self._idle.notify_all()
                    return
                run = queue.tasks.popleft()
            run(queue)
