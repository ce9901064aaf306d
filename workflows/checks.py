"""Check at start the settings that would leave an application waiting for ever."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError

from lending.errors import NoPolicy
from lending.services import longest_wait, policy_current
from workflows.callbacks.tokens import vendor_secrets
from workflows.providers.catalogue import FRAUD
from workflows.providers.simulated import missing_scores

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@register(Tags.database)
def timeouts_nest(databases: Any = None, **_: Any) -> list[CheckMessage]:
    """An execution that times out runs no code of ours: every wait must end before it does.

    Publishing a policy asks the same; this finds what a changed setting does to one in force.
    """
    if not databases:
        return []
    try:
        policy = policy_current()
    except (NoPolicy, DatabaseError):  # not migrated yet: there is nothing to compare
        return []
    limit: timedelta = settings.LOAN_APPROVAL_EXECUTION_TIMEOUT
    needed = longest_wait(policy)
    if needed < limit:
        return []
    return [
        Error(
            f"Policy version {policy.version} may wait for {needed}, but an execution ends "
            f"after {limit}.",
            hint="Raise LOAN_APPROVAL_EXECUTION_TIMEOUT or shorten the policy's waits.",
            id="workflows.E001",
        )
    ]


@register()
def fraud_vendor_can_answer(**_: Any) -> list[CheckMessage]:
    """A vendor that is asked must be able to sign, and personal data leave over TLS only.

    In a function that has no secret of the vendor there is none to look at.
    """
    found: list[CheckMessage] = []
    has_secrets = settings.LOANOFFICE_FRAUD_VENDOR_SECRETS is not None
    try:
        if has_secrets:
            vendor_secrets()
    except ValueError as error:
        found.append(
            Error(
                f"LOANOFFICE_FRAUD_VENDOR_SECRET cannot be used: {error}.",
                hint="A secret is whsec_ and 24 to 64 random bytes in base64.",
                id="workflows.E003",
            )
        )
    url: str = settings.LOANOFFICE_FRAUD_VENDOR_URL
    if not url:
        return found
    if has_secrets and not settings.LOANOFFICE_FRAUD_VENDOR_SECRETS:
        found.append(
            Error(
                "LOANOFFICE_FRAUD_VENDOR_URL is set and LOANOFFICE_FRAUD_VENDOR_SECRET is not: "
                "nobody could answer.",
                id="workflows.E002",
            )
        )
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        found.append(
            Error(
                "LOANOFFICE_FRAUD_VENDOR_URL is not https: applicants' names would travel in "
                "the open.",
                id="workflows.E004",
            )
        )
    if settings.LOANOFFICE_PROVIDERS[FRAUD]["url"]:
        found.append(
            Error(
                "FRAUD_SERVICE_URL and LOANOFFICE_FRAUD_VENDOR_URL are both set, and only one "
                "of them can be asked.",
                id="workflows.E005",
            )
        )
    return found


@register()
def bureaus_are_simulated(**_: Any) -> list[CheckMessage]:
    """Every bureau answers in the demo and in tests: it has a score for each simulated profile."""
    return [
        Error(
            f"The bureau {bureau.label} has no simulated score for {', '.join(profiles)}.",
            hint=f"Complete the row Bureau.{bureau.name} of workflows.providers.simulated.SCORES.",
            id="workflows.E006",
        )
        for bureau, profiles in missing_scores().items()
    ]
