"""Limit failed sign-ins by name and address. django-axes counts them in the database.

Two counts, each of the last quarter of an hour. ``HERE``: under one name from one address; that
stops a person or a program that guesses, and locks nobody else out. ``ANYWHERE``: under one
name from everywhere; that stops guessing from many addresses at once. Because anybody can make
the second one grow, it does not count against an address from which that person signed in
within a month: an attacker elsewhere cannot lock people out at their usual desk.
"""

from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from django.db.models import Sum
from django.http import HttpRequest

from accounts.selectors import is_known_address
from accounts.services.sign_in import sign_in_failed
from audit.tracing import client_address

HERE = 5
ANYWHERE = 30


class LockoutHandler(AxesDatabaseHandler):  # type: ignore[misc]
    def user_login_failed(
        self,
        sender: object,
        credentials: dict[str, Any],
        request: HttpRequest | None = None,
        **kwargs: Any,
    ) -> None:
        """Record the failure, then count it: the log has it before its lockout.

        An attempt while locked out is neither counted nor recorded.
        """
        if not getattr(request, "axes_locked_out", False):
            sign_in_failed(
                username=str(credentials.get("username") or ""),
                again=getattr(request, "asked_again", False),
            )
        super().user_login_failed(sender, credentials, request, **kwargs)

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Count the failures from this address, or return ``HERE`` when all are too many."""
        here, anywhere = (
            rows.aggregate(all=Sum("failures_since_start"))["all"] or 0
            for rows in self.get_user_attempts(request, credentials)
        )
        if here >= HERE or anywhere < ANYWHERE:
            return int(here)
        known = is_known_address(
            username=str((credentials or {}).get("username") or ""),
            address=request.axes_ip_address,  # type: ignore[attr-defined]
        )
        return int(here) if known else HERE

    def reset_user_attempts(
        self, request: HttpRequest, credentials: dict[str, Any] | None = None
    ) -> int:
        """Delete the failures from the address of a sign-in, and no others."""
        here, _ = self.filter_user_attempts(request, credentials)
        count, _ = here.delete()
        return int(count)


def client_ip(request: HttpRequest) -> str | None:  # noqa: ARG001
    """Return the address that ``ClientIpMiddleware`` found, in place of ``REMOTE_ADDR``."""
    return client_address.get() or None
