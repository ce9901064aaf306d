"""Values that a process makes once, at their first use."""

import threading
from collections.abc import Callable


class Once[T]:
    """A value that is made at the first call and returned at every call.

    Unlike ``functools.cache``, threads that call at the same time wait for the first: what is
    made may be neither thread-safe while it is made nor right to make twice.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self.__doc__ = make.__doc__
        self._make = make
        self._made: list[T] = []
        self._lock = threading.Lock()

    def __call__(self) -> T:
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]

    def forget(self) -> None:
        """Make the value anew at the next call."""
        with self._lock:
            self._made.clear()


def once[T](make: Callable[[], T]) -> Once[T]:
    """Decorator: make the value of a function once for the process."""
    return Once(make)
