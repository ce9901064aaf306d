"""Serial queues, one for each execution, on a few shared threads.

The executor applies the changes of one execution one after the other. The testing SDK gives
each running execution a thread for that: a thousand executions that wait for a person are a
thousand idle threads. Here each execution has a queue, and a small pool runs whichever queues
have work. A queue with no work and no running invocation is dropped, because to the executor
no queue means "not invoked yet".

Queued tasks never wait for other queues, so a small pool cannot deadlock.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from aws_durable_execution_sdk_python_testing.execution import Execution
from aws_durable_execution_sdk_python_testing.scheduler import Scheduler
from aws_durable_execution_sdk_python_testing.threads import DaemonThreadPool
from aws_durable_execution_sdk_python_testing.worker.registry import ExecutionRegistry
from aws_durable_execution_sdk_python_testing.worker.status import InvocationState
from aws_durable_execution_sdk_python_testing.worker.task import ExecutionTask

from functions.local.store import WriteThroughStore

QUEUE_THREADS = 4


class ExecutionQueue:
    """The queue of one execution, and its invocation state."""

    def __init__(self, execution_arn: str, store: WriteThroughStore) -> None:
        self.arn = execution_arn
        self.tasks: deque[Callable[[], None]] = deque()
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

    def run(self, task: ExecutionTask[Any], future: Future[Any]) -> None:
        """Run one task; its changes are on disk before its future has a result.

        A task that raises, or whose write fails, has changed nothing, the state included.
        """
        if not future.set_running_or_notify_cancel():
            return
        before = self._status
        try:
            with self._store.one_write():
                outcome = task.execute(self._status, self)
                self._status = outcome.next_status
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            self._status = before
            future.set_exception(error)
        else:
            future.set_result(outcome.value)


class ExecutionQueueRegistry(ExecutionRegistry):
    """Create and find queues; replaces every public method of the base class."""

    def __init__(self, store: WriteThroughStore, scheduler: Scheduler) -> None:
        super().__init__(store, scheduler)
        self._write_through = store
        self._queues: dict[str, ExecutionQueue] = {}
        self._guard = threading.Lock()
        self._idle = threading.Condition(self._guard)
        self._pool = DaemonThreadPool(QUEUE_THREADS, "execution-queue")
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
        with self._guard:
            queue = self._queue(execution_arn)
            queue.tasks.append(lambda: queue.run(task, future))
            idle = not queue.scheduled
            queue.scheduled = True
        if idle:
            self._pool.submit(self._drain, queue)
        return future

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
        self._pool.shutdown()

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
            run()
