"""Give every request an id: accepted or generated, kept for the logs, returned in the response.

A request that may change something is logged when it was answered, by its route: paths and query
strings have what people looked for.
"""

import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping

from django.http import HttpRequest, HttpResponse

from audit.tracing import application_reference, work_on
from core import invocations

logger = logging.getLogger(__name__)

ACCEPTABLE = re.compile(r"\A[A-Za-z0-9._:/+=-]{1,128}\Z")
HEADER = "X-Request-Id"
# In ``META``, for lines that are logged after the response has left the middleware.
KEPT = "loanoffice.request_id"
READS = frozenset({"GET", "HEAD", "OPTIONS"})


class RequestIdMiddleware:
    """Read and return ``X-Request-Id``. An id that is unsafe to log is replaced."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        offered = request.headers.get(HEADER, "")
        identifier = offered if ACCEPTABLE.match(offered) else str(uuid.uuid4())
        request.META[KEPT] = identifier
        invocations.begin(request.META.get("lambda.context"))
        began = time.monotonic()
        with work_on(request=identifier):
            response = self.get_response(request)
            self._log(request, response, time.monotonic() - began)
        response[HEADER] = identifier
        return response

    def process_view(
        self,
        _request: HttpRequest,
        _view: object,
        _args: object,
        kwargs: Mapping[str, object],
    ) -> None:
        """Name the application whose reference is in the path."""
        application_reference.set(str(kwargs.get("reference", "")))

    def _log(self, request: HttpRequest, response: HttpResponse, seconds: float) -> None:
        level = logging.DEBUG if request.method in READS else logging.INFO
        if not logger.isEnabledFor(level):
            return
        logger.log(
            level,
            "Answered",
            extra={
                "method": request.method,
                "route": request.resolver_match.route if request.resolver_match else "",
                "status": response.status_code,
                "ms": round(seconds * 1000),
            },
        )
