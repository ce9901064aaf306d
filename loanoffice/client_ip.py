"""Where a request comes from: kept for the audit log, the lockouts and the logs.

``REMOTE_ADDR`` is what the web server saw. Behind a proxy that is the proxy, and Zappa sets
it from ``X-Forwarded-For`` by a rule that holds for one kind of front door only, so a client
could choose it. Each proxy appends the address that it saw to that header; of what stands
left of the trusted ones' additions, every word may be made up.
"""

from collections.abc import Callable
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from audit.tracing import client_address, user_agent


def address_of(request: HttpRequest) -> str:
    """The client's address as the outermost trusted proxy saw it; empty when it is none.

    ``LOANOFFICE_TRUSTED_PROXIES`` says how many addresses our own front door appends: 0 none,
    1 a regional API Gateway or one load balancer, 2 API Gateway behind CloudFront.
    """
    trusted = settings.LOANOFFICE_TRUSTED_PROXIES
    seen = str(request.META.get("REMOTE_ADDR", ""))
    if trusted:
        passed = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
        passed = [part for part in passed if part]
        if passed:
            seen = passed[-min(trusted, len(passed))]
    try:
        return str(ip_address(seen))
    except ValueError:
        return ""


class ClientIpMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        came_from = client_address.set(address_of(request))
        said = user_agent.set(request.headers.get("User-Agent", ""))
        try:
            return self.get_response(request)
        finally:
            user_agent.reset(said)
            client_address.reset(came_from)
