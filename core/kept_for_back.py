"""Mark the responses that a browser may keep, for its Back button to show them as they were."""

from typing import cast

from django.http import HttpResponse, HttpResponseBase

KEPT_FOR_BACK = "private, max-age=0"


class MarkedResponse(HttpResponse):
    """A response that may be marked for the middleware that writes the header."""

    kept_for_back: bool


def keep_for_back(response: HttpResponse) -> HttpResponse:
    """Let the browser keep a page; for one that names no applicant and shows no secret."""
    cast("MarkedResponse", response).kept_for_back = True
    return response


def is_kept_for_back(response: HttpResponseBase) -> bool:
    return getattr(response, "kept_for_back", False)
