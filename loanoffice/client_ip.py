"""Find the client's address of a request, for the audit log, the lockouts and the logs.

``REMOTE_ADDR`` is the address of the web server's peer. Behind a proxy that is the proxy, and
Zappa sets it from ``X-Forwarded-For`` by a rule that holds for one kind of proxy only, so a client
could choose it. Each proxy appends the address that it saw to that header; everything to the
left of the trusted proxies' additions can be forged.
"""

from collections.abc import Callable
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from audit.tracing import client_address, user_agent


def address_of(request: HttpRequest) -> str:
    """Return the client's address as the outermost trusted proxy saw it; empty when invalid.

    ``LOANOFFICE_TRUSTED_PROXIES`` is the number of addresses that our own proxies append: 0 none,
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
        token = user_agent.set(request.headers.get("User-Agent", ""))
        try:
            return self.get_response(request)
        finally:
            user_agent.reset(token)
            client_address.reset(came_from)
