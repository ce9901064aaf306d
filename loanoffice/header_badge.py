"""The badge in the header of every page: the number of tasks that the user may decide."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import cast

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, JsonResponse
from django.utils import timezone
from django.utils.http import parse_etags
from django.views.decorators.http import require_safe

from loanoffice.dashboard import waiting_on
from loanoffice.header_bell import Bell, bell_of
from loanoffice.own_work import MOST_WAITING


@dataclass(frozen=True)
class Badge:
    """The number of the badge. ``shown``: ``3``, or ``99+`` for more than is counted."""

    waiting: int

    @property
    def number(self) -> int:
        return self.waiting

    @property
    def shown(self) -> str:
        return f"{MOST_WAITING - 1}+" if self.waiting >= MOST_WAITING else str(self.waiting)

    @property
    def sentence(self) -> str:
        if not self.waiting:
            return "Nothing waits on you"
        return f"{self.shown} {'task waits' if self.waiting == 1 else 'tasks wait'} on you"

    @property
    def told(self) -> dict[str, int | str]:
        """The values that a page needs to show it."""
        return {"waiting": self.waiting, "shown": self.shown, "sentence": self.sentence}


def with_counts[**P](view: Callable[P, HttpResponse]) -> Callable[P, HttpResponse]:
    """Decorator: answer a poll also with badge and bell, where they differ from those shown.

    So a page asks once for all of its parts. They are headers, which a 304 has as well.
    """

    @wraps(view)
    def answer(*args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        response = view(*args, **kwargs)
        request = cast("HttpRequest", args[0])
        if response.status_code in {200, 204, 304}:
            for name, count in COUNTS.items():
                shown = request.headers.get(f"{name}-Shown")
                found = None if shown is None else count(request)
                if found is not None and str(found.number) != shown:
                    response.headers[name] = json.dumps(found.told)
        return response

    return answer


def badge_of(request: HttpRequest) -> Badge | None:
    """Count the tasks of the user; ``None`` for a user who decides nothing."""
    if not isinstance(request.user, User) or not request.user.is_staff:
        return None
    return badge_for(waiting_on(user=request.user, now=timezone.now()))


def badge_for(waiting: int | None) -> Badge | None:
    """Return the badge of a count of ``dashboard.waiting_on``."""
    return None if waiting is None else Badge(waiting)


# The counts of the header, by the header of an answer that brings one.
COUNTS: dict[str, Callable[[HttpRequest], Badge | Bell | None]] = {
    "Badge": badge_of,
    "Bell": bell_of,
}


@require_safe
def badge_response(request: HttpRequest) -> HttpResponse:
    """Answer ``{"waiting", "shown", "sentence"}``, or 304 when the badge is up to date."""
    badge = badge_of(request) or Badge(0)
    etag = f'"{badge.waiting}"'
    headers = {"ETag": etag, "Cache-Control": "no-store"}
    if etag in parse_etags(request.headers.get("If-None-Match", "")):
        return HttpResponseNotModified(headers=headers)
    return JsonResponse(badge.told, headers=headers)
