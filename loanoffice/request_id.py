"""Give every request an id: accepted or generated, kept for the logs, returned in the response."""

import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from audit.tracing import request_id

ACCEPTABLE = re.compile(r"\A[A-Za-z0-9._:/+=-]{1,128}\Z")
HEADER = "X-Request-Id"


class RequestIdMiddleware:
    """Read and return ``X-Request-Id``. An id that is unsafe to log is replaced."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        offered = request.headers.get(HEADER, "")
        identifier = offered if ACCEPTABLE.match(offered) else str(uuid.uuid4())
        token = request_id.set(identifier)
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(token)
        response[HEADER] = identifier
        return response
