"""Check at the start of production what only the database knows, and refuse to serve.

The settings refuse what the environment says (``loanoffice.settings.weaknesses``); this refuses
what is in the database. Each check returns its reasons; ``CHECKS`` lists them.
"""

import logging
from collections.abc import Callable

from django.contrib.auth.hashers import check_password
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, ProgrammingError
from django.http import HttpRequest, HttpResponseBase

from accounts.proposals import single_admin_notice
from loanoffice.demo_logins import PARTNER_KEY, PASSWORD, ROLES
from partners.models import PartnerKey
from partners.services.keys import key_hash

logger = logging.getLogger(__name__)


def demo_logins() -> list[str]:
    """Return the logins of the demo that still have its public password.

    Only a login with a name of the demo costs a password hash, and in production there is
    rarely more than one.
    """
    users = User.objects.filter(username__in=ROLES, is_active=True).order_by("username")
    found = [
        user.username
        for user in users.only("username", "password")
        if check_password(PASSWORD, user.password)
    ]
    if not found:
        return []
    return [
        f"The database has logins of the demo with its public password: {', '.join(found)}. "
        "Deactivate them or give them another password."
    ]


def demo_partner_key() -> list[str]:
    """Return a reason while the demo's public partner key is accepted."""
    known = PartnerKey.objects.filter(key_hash=key_hash(PARTNER_KEY), revoked_at=None)
    if not known.exists():
        return []
    return ["The database accepts the public partner key of the demo. Revoke it."]


CHECKS: tuple[Callable[[], list[str]], ...] = (demo_logins, demo_partner_key)


def reasons_to_refuse() -> list[str]:
    """Return every reason why production may not serve from this database."""
    return [reason for check in CHECKS for reason in check()]


class StartChecksMiddleware:
    """Refuse to start, and to answer, while a check of the database has a reason.

    The checks run when the handler is made. A database that cannot be asked then, or that is not
    migrated yet, is asked again at each request, which the pages and the health check answer
    as they do when there is no database. What was found in order is not asked again: the next
    process looks anew.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        if notice := single_admin_notice():
            logger.warning(notice)
        self.passed = self._passes()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        self.passed = self.passed or self._passes()
        return self.get_response(request)

    def _passes(self) -> bool:
        try:
            reasons = reasons_to_refuse()
        except (OperationalError, ProgrammingError) as error:
            logger.warning("The database could not be checked", extra={"reason": str(error)})
            return False
        if reasons:
            raise ImproperlyConfigured(f"Production does not start. {' '.join(reasons)}")
        return True
