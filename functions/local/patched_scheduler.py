"""Extend the scheduler of the testing SDK for the engine.

Uses one private name: ``Scheduler._loop``, which the testing SDK leaves to the garbage collector.
``patched_executor`` checks its version.
"""

from aws_durable_execution_sdk_python_testing.scheduler import Scheduler


class LocalScheduler(Scheduler):
    """The scheduler, with its event loop closed at the end."""

    def start(self) -> None:
        """Start the loop's thread."""
        super().start()  # type: ignore[no-untyped-call]

    def stop(self) -> None:
        """Cancel every timer and end the scheduler's threads."""
        super().stop()  # type: ignore[no-untyped-call]
        if not self._loop.is_running():
            self._loop.close()
