"""Health checks for load balancers and the demo's supervisor: alive, and ready."""

import logging
import threading
from collections.abc import Callable
from time import monotonic

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from workflows import engine
from workflows.errors import EngineError

logger = logging.getLogger(__name__)

# Anybody may ask whether the office is ready: however often they do, database and engine are
# asked once in so many seconds, by each process.
REMEMBERED = 3.0

type Found = dict[str, str]


class Readiness:
    """The latest answer of the probe. One probe runs at a time."""

    def __init__(self) -> None:
        self._probing = threading.Lock()
        self._latest: tuple[float, Found] | None = None  # when, and what was found

    def answer(self, probe: Callable[[], Found]) -> Found:
        """Return what was found a moment ago, or probe.

        While another thread probes, the answer before is returned; the first time it is awaited.
        """
        known = self._latest
        if known is not None and (_is_fresh(known) or not self._probing.acquire(blocking=False)):
            return known[1]
        if known is None:
            self._probing.acquire()
        try:
            latest = self._latest  # of whoever was waited for
            if latest is None or not _is_fresh(latest):
                found = probe()
                latest = self._latest = monotonic(), found
            return latest[1]
        finally:
            self._probing.release()

    def forget(self) -> None:
        self._latest = None


def _is_fresh(latest: tuple[float, Found]) -> bool:
    return monotonic() - latest[0] < REMEMBERED


READINESS = Readiness()


@require_safe
def live(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """Answer 200 while the process answers at all."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """Answer 200 when database and engine answer, else 503 with the one that does not."""
    found = READINESS.answer(probe)
    ok = set(found.values()) == {"ok"}
    return JsonResponse(
        {"status": "ok" if ok else "unavailable", **found}, status=200 if ok else 503
    )


def probe() -> Found:
    """Ask the database and the engine."""
    found = {"database": "ok", "engine": "ok"}
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        logger.warning("The database does not answer", extra={"reason": str(error)})
        found["database"] = "unreachable"
    try:
        engine.ping()
    except EngineError as error:
        logger.warning("The engine does not answer", extra={"reason": str(error)})
        found["engine"] = "unreachable"
    return found
