"""Wait for executions to end, without polling."""

import threading
from collections.abc import Callable


class CompletionWaiters:
    """The threads that wait for the end of an execution, by ARN."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, list[threading.Event]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, execution_arn: str, has_ended: Callable[[], bool], timeout: float) -> bool:
        """Return true when the execution has ended, at once or within ``timeout`` seconds."""
        announced = threading.Event()
        with self._lock:
            self._waiting.setdefault(execution_arn, []).append(announced)
        try:
            # Checked after registering, so that an end in between is not missed.
            return has_ended() or (announced.wait(timeout) and has_ended())
        finally:
            with self._lock:
                others = self._waiting[execution_arn]
                others.remove(announced)
                if not others:
                    del self._waiting[execution_arn]

    def announce(self, execution_arn: str) -> None:
        """Wake the threads that wait for this execution: it has ended."""
        with self._lock:
            for announced in self._waiting.get(execution_arn, []):
                announced.set()

    def release_all(self) -> None:
        """Wake every waiting thread, to check once more and give up."""
        with self._lock:
            for waiting in self._waiting.values():
                for announced in waiting:
                    announced.set()
