"""Health checks for load balancers and the demo's supervisor: alive, and ready."""

import logging

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from workflows import engine
from workflows.errors import EngineError

logger = logging.getLogger(__name__)


@require_safe
def live(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """Answer 200 while the process answers at all."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """Answer 200 when database and engine answer, else 503 with the one that does not."""
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
    ok = set(found.values()) == {"ok"}
    return JsonResponse(
        {"status": "ok" if ok else "unavailable", **found}, status=200 if ok else 503
    )
