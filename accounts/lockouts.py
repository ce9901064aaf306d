"""Limit failed sign-ins by name and address. django-axes stores them in the database.

All counts are of the last quarter of an hour. An address is an IPv4 address or a /64 of IPv6.

``HERE``: under one name from one address; stops a person or a program that guesses.
``ANYWHERE``: under one name from everywhere; stops guessing from many addresses. It does not
hold at an address from which that person signed in within a month.
``ADDRESS``: from one address under all names; stops one password tried on many names.

A device on which the person signed in before (``accounts.devices``) is counted apart: five
failures of its own lock it out, and what strangers do elsewhere, or at the same address, does not.
"""

from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet, Sum
from django.http import HttpRequest

from accounts.devices import device_of
from accounts.selectors import is_known_address
from accounts.services.sign_in import sign_in_failed
from audit.tracing import client_address

HERE = 5
ANYWHERE = 30
ADDRESS = 50
# In place of the browser's description of itself, in the row of a known device's failures.
KNOWN_DEVICE = "known device "


class AxesRequest(HttpRequest):
    """A request with the attributes that django-axes sets before it calls its handler."""

    axes_ip_address: str | None
    axes_user_agent: str


class LockoutHandler(AxesDatabaseHandler):  # type: ignore[misc]
    def user_login_failed(
        self,
        sender: object,
        credentials: dict[str, Any],
        request: AxesRequest | None = None,
        **kwargs: Any,
    ) -> None:
        """Record the failure, then count it: the log has it before its lockout.

        An attempt while locked out is neither counted nor recorded.
        """
        if not getattr(request, "axes_locked_out", False):
            sign_in_failed(
                username=_name(credentials),
                again=getattr(request, "asked_again", False),
            )
        if request is not None:
            request.axes_user_agent = _program(request, _name(credentials))
        super().user_login_failed(sender, credentials, request, **kwargs)

    def get_failures(self, request: AxesRequest, credentials: dict[str, Any] | None = None) -> int:
        """Count the failures that hold here; at least ``HERE`` when those of others lock out."""
        name = _name(credentials)
        recent = AccessAttempt.objects.filter(attempt_time__gte=get_cool_off_threshold(request))
        device = _device(request, name)
        if device:
            return _sum(recent.filter(username=name, user_agent=KNOWN_DEVICE + device))
        others = recent.exclude(user_agent__startswith=KNOWN_DEVICE)
        address = request.axes_ip_address
        here = _sum(others.filter(username=name, ip_address=address))
        too_many = (
            not _is_desk_of_demo(address) and _sum(recent.filter(ip_address=address)) >= ADDRESS
        ) or (
            _sum(others.filter(username=name)) >= ANYWHERE
            and not is_known_address(username=name, address=client_address.get())
        )
        return max(here, HERE) if too_many else here

    def reset_user_attempts(
        self, request: AxesRequest, credentials: dict[str, Any] | None = None
    ) -> int:
        """Delete the failures of this device, or of this address, under the name; no others."""
        name = _name(credentials)
        device = _device(request, name)
        rows = AccessAttempt.objects.filter(username=name)
        if device:
            rows = rows.filter(user_agent=KNOWN_DEVICE + device)
        else:
            address = request.axes_ip_address
            rows = rows.filter(ip_address=address).exclude(user_agent__startswith=KNOWN_DEVICE)
        count, _ = rows.delete()
        return int(count)


def client_ip(request: HttpRequest) -> str | None:  # noqa: ARG001
    """Return the address that ``ClientIpMiddleware`` found, in place of ``REMOTE_ADDR``.

    Of IPv6 the first address of its /64: a customer has at least that many.
    """
    found = client_address.get()
    if not found:
        return None
    address = ip_address(found)
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Network((address, 64), strict=False).network_address)
    return str(address)


def _name(credentials: dict[str, Any] | None) -> str:
    return str((credentials or {}).get("username") or "")


def _device(request: HttpRequest, name: str) -> str:
    person = User.objects.filter(username=name).values_list("pk", flat=True).first()
    return device_of(request, person=person)


def _program(request: AxesRequest, name: str) -> str:
    device = _device(request, name)
    if device:
        return KNOWN_DEVICE + device
    return request.axes_user_agent.removeprefix(KNOWN_DEVICE)


def _sum(rows: "QuerySet[AccessAttempt]") -> int:
    return int(rows.aggregate(all=Sum("failures_since_start"))["all"] or 0)


def _is_desk_of_demo(address: str | None) -> bool:
    """Tell whether it is this machine, in the demo: whoever tries it plays many people."""
    if not settings.LOANOFFICE_DEMO or not address:
        return False
    # The first address of its /64 stands for ``::1``.
    return ip_address(address).is_loopback or address == "::"
