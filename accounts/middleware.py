"""Limit the life of a session, require the second factor, and ask again before some acts."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from accounts.devices import remember_device
from accounts.errors import HashingBusy
from accounts.selectors import Lacks, session_lacks
from accounts.services.sign_in import ACTIVE_AT, SIGNED_IN_AT
from accounts.step_up import asks_again, has_stepped_up
from accounts.views import busy

# A session's row is written for activity once a minute at most.
RESOLUTION = 60  # seconds
# Requests that a page makes by itself are marked so, and are no activity.
BY_ITSELF = ("X-Requested-With", "fetch")

# Pages that are allowed without the second factor: to enter it, or to sign out; and those of an
# invitation, which are for whoever has its link.
ALWAYS = {"admin:logout", "admin:login", "account:invitation", "account:invitation_link"}
OPEN = {
    Lacks.CODE: {"account:code"} | ALWAYS,
    Lacks.ENROLMENT: {"account:enrol", "account:qr"} | ALWAYS,
}
WAY = {Lacks.CODE: "account:code", Lacks.ENROLMENT: "account:enrol"}
# URL namespaces of the API, which refuses by itself.
API = {"api", "partner_api", "review_api", "webhook_api"}


class Middleware:
    """Base of the classes below: passes a request on as it is, unless one overrides that."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)


class SessionLimitsMiddleware(Middleware):
    """End a session that was idle too long, or that is a working day old."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            now = timezone.now().timestamp()
            why = self._over(request, now)
            if why:
                request.session_ended = why  # type: ignore[attr-defined]
                logout(request)
                messages.warning(request, why)
            elif now - request.session[ACTIVE_AT] > RESOLUTION and not self._asked_by_itself(
                request
            ):
                request.session[ACTIVE_AT] = now
        return self.get_response(request)

    @staticmethod
    def _over(request: HttpRequest, now: float) -> str:
        """The reason why the session is over; empty when it is not."""
        session = request.session
        if SIGNED_IN_AT not in session:  # it began before there were limits
            session[SIGNED_IN_AT] = session[ACTIVE_AT] = now
        if now - session[SIGNED_IN_AT] >= settings.LOANOFFICE_SESSION_LONGEST.total_seconds():
            return "You were signed out: a session ends after a day's work. Sign in again."
        if now - session[ACTIVE_AT] >= settings.LOANOFFICE_SESSION_IDLE.total_seconds():
            return "You were signed out after a while without activity. Sign in again."
        return ""

    @staticmethod
    def _asked_by_itself(request: HttpRequest) -> bool:
        name, value = BY_ITSELF
        return request.headers.get(name, "") == value


class SecondFactorMiddleware(Middleware):
    """Redirect a session without its second factor to it, from every page.

    The API refuses instead: ``StaffSessionAuthentication`` asks the same question.
    """

    def process_view(
        self,
        request: HttpRequest,
        *_: Any,  # the view and its arguments
    ) -> HttpResponse | None:
        if settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return None
        match = request.resolver_match
        if match is None or not API.isdisjoint(match.namespaces):
            return None
        lacks = session_lacks(request.user)
        if lacks is Lacks.NOTHING or match.view_name in OPEN[lacks]:
            return None
        query = {"next": request.get_full_path()} if request.method == "GET" else None
        return HttpResponseRedirect(reverse(WAY[lacks], query=query))


class StepUpMiddleware(Middleware):
    """Redirect from the pages of ``accounts.step_up`` to the page that asks again."""

    def process_view(
        self,
        request: HttpRequest,
        *_: Any,  # the view and its arguments
    ) -> HttpResponse | None:
        match = request.resolver_match
        if match is None or not asks_again(view_name=match.view_name, method=request.method):
            return None
        if not request.user.is_authenticated or has_stepped_up(request.session):
            return None
        if request.method not in {"GET", "HEAD"}:
            messages.warning(request, "Nothing was changed: confirm that it is you, and repeat it.")
        where = request.path if request.method == "POST" else request.get_full_path()
        return HttpResponseRedirect(reverse("account:again", query={"next": where}))


class KnownDeviceMiddleware(Middleware):
    """Remember a device on which somebody signed in just now."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        person: int | None = getattr(request, "signed_in_now", None)
        if person is not None:
            remember_device(request, response, person=person)
        return response


class HashingBusyMiddleware(Middleware):
    """Answer a request whose password could not be checked now with 503 and ``Retry-After``."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, HashingBusy):
            return None
        return busy(request, error)
