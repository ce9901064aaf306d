"""Several threads let go at the same moment, each with a database connection of its own."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from django.db import connection, connections


def together[T](bodies: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """Run each body in its own thread; what each returned or raised, in their order.

    Nobody begins before everybody is connected and ready.
    """
    ready = threading.Barrier(len(bodies), timeout=60)

    def run(body: Callable[[], T]) -> T | Exception:
        try:
            connection.ensure_connection()
            ready.wait()
            return body()
        except Exception as error:  # noqa: BLE001 - the test judges it
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(run, bodies))
