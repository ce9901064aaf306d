"""Replace the timers of the testing SDK's scheduler: due times are wall-clock times.

The testing SDK sleeps for a timer's whole delay, on a clock that stands still while the machine is
suspended. Here each timer has a due time on the wall clock, which is read at least every
``LOOK_EVERY`` seconds; and a timer that waits is an entry of a heap, not a task.

Uses two private names: ``Scheduler._loop``, which the testing SDK leaves to the garbage collector,
and ``Scheduler._running``. ``patched_executor`` checks its version.
"""

import asyncio
import heapq
import inspect
import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from aws_durable_execution_sdk_python_testing.clock import Clock
from aws_durable_execution_sdk_python_testing.scheduler import Event, Scheduler

# Seconds within which a jump of the wall clock is noticed.
LOOK_EVERY = 1.0
# Cancelled timers stay in the heap until they are as many as the others, and this many.
FEW = 64

logger = logging.getLogger(__name__)

type Work = Callable[[], Any]


class LocalScheduler(Scheduler):
    """The scheduler, with timers on the wall clock, and its event loop closed at the end."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._guard = threading.Lock()
        self._numbers = itertools.count()
        self._heap: list[tuple[float, int]] = []
        self._waiting: dict[int, tuple[Work, Future[Any]]] = {}
        self._soon: deque[Work] = deque()
        self._working: set[asyncio.Task[None]] = set()
        self._next_look: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start the loop's thread."""
        super().start()  # type: ignore[no-untyped-call]
        self._loop.call_soon_threadsafe(self._look)

    def stop(self) -> None:
        """Cancel every timer and end the scheduler's threads."""
        with self._guard:
            waiting = [future for _, future in self._waiting.values()]
        for future in waiting:
            future.cancel()
        super().stop()  # type: ignore[no-untyped-call]
        if not self._loop.is_running():
            self._loop.close()

    def task_count(self) -> int:
        """Return the number of timers that wait and of those at work."""
        return len(self._waiting) + len(self._soon) + len(self._working)

    def call_soon(self, func: Work) -> None:
        """Do what ``call_later`` does without a delay, for what is never cancelled nor awaited."""
        self._soon.append(func)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._begin_soon)

    def call_later(
        self,
        func: Work,
        delay: float = 0,
        count: int | None = 1,
        completion_event: Event | None = None,
    ) -> Future[Any]:
        """Call a function, or await a coroutine function, once, ``delay`` seconds from now.

        The future that it returns cancels a timer that waits, not one at work.
        """
        if count != 1 or completion_event is not None:
            raise ValueError("The engine calls once, and without completion events.")
        future: Future[Any] = Future()
        number = next(self._numbers)
        with self._guard:
            self._waiting[number] = (func, future)
            if delay > 0:
                due = self._now() + delay
                is_first = not self._heap or due < self._heap[0][0]
                heapq.heappush(self._heap, (due, number))
        future.add_done_callback(lambda _: self._forget(number))
        if self._loop.is_closed():
            future.cancel()
        elif delay <= 0:
            self._loop.call_soon_threadsafe(self._begin, number)
        elif is_first and self._running:
            self._loop.call_soon_threadsafe(self._look)
        return future

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _forget(self, number: int) -> None:
        with self._guard:
            self._waiting.pop(number, None)
            if len(self._heap) > 2 * len(self._waiting) + FEW:
                self._heap = [entry for entry in self._heap if entry[1] in self._waiting]
                heapq.heapify(self._heap)

    def _look(self) -> None:
        """Begin what is due, and look again when the next is, or soon."""
        now = self._now()
        due: list[int] = []
        with self._guard:
            while self._heap and self._heap[0][0] <= now:
                due.append(heapq.heappop(self._heap)[1])
            left = self._heap[0][0] - now if self._heap else LOOK_EVERY
        for number in due:
            self._begin(number)
        if self._next_look is not None:
            self._next_look.cancel()
        self._next_look = self._loop.call_later(min(left, LOOK_EVERY), self._look)

    def _begin(self, number: int) -> None:
        with self._guard:
            entry = self._waiting.pop(number, None)
        if entry is None or not entry[1].set_running_or_notify_cancel():
            return
        self._begin_work(*entry)

    def _begin_soon(self) -> None:
        self._begin_work(self._soon.popleft(), None)

    def _begin_work(self, func: Work, future: Future[Any] | None) -> None:
        task = self._loop.create_task(self._work(func, future))
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def _work(self, func: Work, future: Future[Any] | None) -> None:
        try:
            if _is_coroutine_function(func):
                result = await func()
            else:
                result = await asyncio.to_thread(func)
        except Exception as error:
            logger.exception("A scheduled task failed.")
            if future is not None:
                future.set_exception(error)
        except BaseException as error:
            if future is not None:
                future.set_exception(error)
            raise
        else:
            if future is not None:
                future.set_result(result)


def _is_coroutine_function(func: Work) -> bool:
    code = getattr(func, "__code__", None)  # of a function; inspect looks further, and longer
    if code is None:
        return inspect.iscoroutinefunction(func)
    return bool(code.co_flags & inspect.CO_COROUTINE)
