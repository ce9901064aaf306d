"""Serial lanes on a few shared threads.

The executor runs every change of one execution one after the other on that execution's
lane. The testing SDK gives each running execution a thread for its lane: a thousand
executions that wait for a person are a thousand idle threads. Here a lane is a queue,
and a small pool runs whichever queues have work. A lane with no work and no running
invocation is dropped, for to the executor no lane means "not invoked yet".

Lane tasks never wait for other lanes, so a small pool cannot lock up.
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

LANE_THREADS = 4


class Lane:
    """The queue of one execution, and whether a handler runs for it."""

    def __init__(self, execution_arn: str, store: WriteThroughStore) -> None:
        self.arn = execution_arn
        self.tasks: deque[Callable[[], None]] = deque()
        self.scheduled = False
        self._store = store
        self._status = InvocationState.PRE_INVOKE

    @property
    def status(self) -> InvocationState:
        """Whether a handler runs; authoritative inside a task of this lane."""
        return self._status

    def set_status(self, status: InvocationState) -> None:
        """Called by the executor from inside a task."""
        self._status = status

    def reload(self) -> Execution:
        """The execution as it is now."""
        return self._store.load(self.arn)

    def run(self, task: ExecutionTask[Any], future: Future[Any]) -> None:
        """Run one task; its changes are on disk before its future has a result."""
        if not future.set_running_or_notify_cancel():
            return
        try:
            with self._store.one_write():
                outcome = task.execute(self._status, self)
                self._status = outcome.next_status
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            future.set_exception(error)
        else:
            future.set_result(outcome.value)


class LaneRegistry(ExecutionRegistry):
    """Hands out lanes; every public method of the base class is replaced."""

    def __init__(self, store: WriteThroughStore, scheduler: Scheduler) -> None:
        super().__init__(store, scheduler)
        self._write_through = store
        self._lanes: dict[str, Lane] = {}
        self._guard = threading.Lock()
        self._emptied = threading.Condition(self._guard)
        self._pool = DaemonThreadPool(LANE_THREADS, "execution-lane")
        self._closed = False

    # The lane stands in for the base class's worker: same methods, no thread of its own.
    def get_or_create(self, execution_arn: str) -> Lane:  # type: ignore[override]
        """Return the lane of an execution, made if absent."""
        with self._guard:
            return self._lane(execution_arn)

    def get(self, execution_arn: str) -> Lane | None:  # type: ignore[override]
        """Return the lane of an execution if it has one."""
        with self._guard:
            return self._lanes.get(execution_arn)

    def submit[T](self, execution_arn: str, task: ExecutionTask[T]) -> Future[T]:
        """Queue a task; raises ``RuntimeError`` once the engine has stopped."""
        future: Future[T] = Future()
        with self._guard:
            lane = self._lane(execution_arn)
            lane.tasks.append(lambda: lane.run(task, future))
            idle = not lane.scheduled
            lane.scheduled = True
        if idle:
            self._pool.submit(self._drain, lane)
        return future

    def remove(self, execution_arn: str) -> None:
        """Drop a lane; a lane drops itself when it has nothing to do."""
        with self._guard:
            self._lanes.pop(execution_arn, None)

    def active_count(self) -> int:
        """The number of executions with work queued or a handler running."""
        with self._guard:
            return len(self._lanes)

    def wait_until_idle(self, timeout: float) -> bool:
        """Whether no lane has work or a running handler, at once or in time."""
        with self._emptied:
            return self._emptied.wait_for(lambda: not self._lanes, timeout)

    def shutdown(self) -> None:
        """Refuse new tasks and drop the queued ones."""
        with self._guard:
            self._closed = True
            self._lanes.clear()
        self._pool.shutdown()

    def _lane(self, execution_arn: str) -> Lane:
        if self._closed:
            raise RuntimeError("The engine is stopping.")
        lane = self._lanes.get(execution_arn)
        if lane is None:
            lane = self._lanes[execution_arn] = Lane(execution_arn, self._write_through)
        return lane

    def _drain(self, lane: Lane) -> None:
        while True:
            with self._guard:
                if not lane.tasks:
                    lane.scheduled = False
                    if lane.status is not InvocationState.INVOKING:
                        self._lanes.pop(lane.arn, None)
                        if not self._lanes:
                            self._emptied.notify_all()
                    return
                run = lane.tasks.popleft()
            run()
