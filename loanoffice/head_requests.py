"""Answer HEAD requests with headers alone, whatever the view, the web server or the gateway does.

A client reads no body after the headers of such an answer: what is sent nevertheless it takes for
the beginning of the next answer on the same connection (RFC 9110, 9.3.2).
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase

NEVER_A_BODY = {204, 304}


class HeadMiddleware:
    """Remove the body from the answer to a HEAD request; its length stays that of the GET.

    It has to be the first middleware, as others answer as well.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.method == "HEAD":
            remove_body(response)
        return response


def remove_body(response: Any) -> None:
    """Remove the body of a response, streamed or not, and keep or add its Content-Length.

    A streamed body of unknown length is read to its end: without a length waitress would answer
    in chunks, and send the last, empty one as a body.
    """
    if "Content-Length" not in response.headers and response.status_code not in NEVER_A_BODY:
        parts = response.streaming_content if response.streaming else [response.content]
        response.headers["Content-Length"] = str(sum(len(part) for part in parts))
    if response.streaming:
        response.streaming_content = ()
    else:
        response.content = b""
