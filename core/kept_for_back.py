"""Mark the responses that a browser may keep, for its Back button to show them as they were."""

from django.http import HttpResponse, HttpResponseBase

KEPT_FOR_BACK = "private, max-age=0"


def keep_for_back(response: HttpResponse) -> HttpResponse:
    """Let the browser keep a page; for one that names no applicant and shows no secret."""
    response.kept_for_back = True  # type: ignore[attr-defined]
    return response


def is_kept_for_back(response: HttpResponseBase) -> bool:
    return getattr(response, "kept_for_back", False)
