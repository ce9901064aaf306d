"""Authenticate a caller: a partner with a bearer key, or staff with a session.

``request.auth`` is the ``PartnerKey`` of a partner and ``None`` for staff; ``request.user``
is a ``PartnerCaller`` or the member of staff.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import RequestDataTooBig
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from accounts.selectors import Lacks, session_lacks
from audit.tracing import client_address
from partners.api.errors import CsrfFailed, InvalidKey, SecondFactorNeeded, TooManyCalls
from partners.api.parsers import raw_body
from partners.models import Partner, PartnerKey
from partners.services.keys import partner_key_admit
from partners.throttling import Verdict

KEYWORD = "Bearer"
VERDICT = (
    "applications.api.verdict"  # where a request keeps the verdict of its partner's rate limit
)


@dataclass(frozen=True)
class PartnerCaller:
    """The user of a request by a partner, who has no login."""

    name: str
    is_authenticated: bool = True
    is_anonymous: bool = False
    is_active: bool = True
    is_staff: bool = False


class PartnerKeyAuthentication(BaseAuthentication):
    """Authenticate ``Authorization: Bearer <key>``. Other schemes are for the other classes.

    Raises ``InvalidKey`` (401) for a key that is malformed, unknown, expired or revoked,
    or whose partner is not active; the answer does not say which. Raises ``TooManyCalls``
    (429) where the partner has used up its rate, or where too many bad keys came from. Calls
    are counted here, so those refused later count too. Sessions of staff are not: they are
    identified, and their reads are on record one by one.
    """

    def authenticate(self, request: Request) -> tuple[PartnerCaller, PartnerKey] | None:
        keyword, _, key = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if keyword.lower() != KEYWORD.lower():
            return None
        admission = partner_key_admit(key=key.strip(), address=client_address.get())
        row, verdict = admission.key, admission.verdict
        if row is not None:
            request.META[VERDICT] = verdict
        if verdict is not None and not verdict.allowed:
            raise TooManyCalls(verdict.retry_after)
        if row is None:
            raise InvalidKey
        return PartnerCaller(name=row.partner.name), row

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        return KEYWORD


class StaffSessionAuthentication(SessionAuthentication):
    """Authenticate the admin's session. Anything but a read needs the CSRF token as well.

    A session without the second factor that it needs does not count: see
    ``accounts.middleware``, which redirects every page. Raises ``SecondFactorNeeded``.
    """

    def authenticate(self, request: Request) -> Any:
        found = super().authenticate(request)
        if found is not None and session_lacks(found[0]) is not Lacks.NOTHING:
            raise SecondFactorNeeded
        return found

    def enforce_csrf(self, request: Request) -> None:
        with suppress(RequestDataTooBig):  # which is said later, in the order of all errors
            raw_body(request)  # the check looks for a form in it, and it is needed again
        try:
            super().enforce_csrf(request)
        except exceptions.PermissionDenied as refused:
            raise CsrfFailed(str(refused.detail)) from refused


def verdict_of(request: Request) -> Verdict | None:
    """Return what the calling partner has left of its rate; ``None`` where nothing was counted."""
    found: Verdict | None = request.META.get(VERDICT)
    return found


def partner_of(request: Request) -> Partner | None:
    """Return the partner that is calling, or ``None`` for staff, who see everything."""
    return request.auth.partner if isinstance(request.auth, PartnerKey) else None


def key_of(request: Request) -> PartnerKey | None:
    """Return the key that the partner is calling with, or ``None`` for staff."""
    return request.auth if isinstance(request.auth, PartnerKey) else None


def staff_of(request: Request) -> User:
    """Return the member of staff who is calling; only where a permission admits nobody else."""
    if not isinstance(request.user, User):
        raise TypeError("the caller is not a member of staff")
    return request.user


def caller_of(request: Request) -> str:
    """Return a text that identifies the caller: ``partner/7``, ``staff/3``."""
    partner = partner_of(request)
    return f"staff/{staff_of(request).pk}" if partner is None else f"partner/{partner.pk}"
