"""Pages that keep themselves up to date: ``core/polling.js`` is the one poll of each page."""

import hashlib
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import render
from django.utils.http import parse_etags


def etag_of(fingerprint: list[object]) -> str:
    """Return the ETag of what a page shows."""
    return f'"{hashlib.sha256(repr(fingerprint).encode()).hexdigest()[:32]}"'


def polled_response(
    request: HttpRequest,
    fingerprint: list[object],
    template: str,
    context: Callable[[], dict[str, Any]],
) -> HttpResponse:
    """Render the part of the page that changes, or answer 304.

    ``fingerprint`` differs whenever something differs that the page shows to this person; the
    reader sends the ETag that was made of it. ``context`` is read only where it differs.
    """
    etag = etag_of(fingerprint)
    if etag in parse_etags(request.headers.get("If-None-Match", "")):
        return HttpResponseNotModified(headers={"ETag": etag})
    response = render(request, template, context())
    response.headers["ETag"] = etag
    return response
