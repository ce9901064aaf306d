"""List the secrets of each function on AWS, and the providers that it calls. Pure.

``FUNCTIONS`` is the one table: ``aws`` requires what it says and hands out nothing else, and
tests hold the code, the deploy and the runbook against it.
"""

from collections.abc import Mapping
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

from applications.choices import Bureau
from workflows.providers.catalogue import FRAUD, PAYOUT, TOKEN_VARIABLES

# Names the function that starts; the deploy sets it for each companion.
VARIABLE = "LOANOFFICE_FUNCTION"
WEB = "web"
LOAN_APPROVAL = "loan-approval"
FRAUD_CHECK = "fraud-check"
MANAGE = "manage"
VENDOR_VARIABLE = "LOANOFFICE_FRAUD_VENDOR_SECRET"


class Uses(NamedTuple):
    """The secrets of one function; the tokens of its ``providers`` are among them.

    It does not start without the ``needed`` ones. With ``vendor`` it signs for the fraud vendor or
    verifies what the vendor signed.
    """

    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    vendor: bool = False

    def secrets(self) -> frozenset[str]:
        """Return the names of all secrets that the function may have."""
        tokens = (TOKEN_VARIABLES[provider] for provider in self.providers)
        vendors = (VENDOR_VARIABLE,) if self.vendor else ()
        return frozenset((*self.needed, *self.optional, *tokens, *vendors))


FUNCTIONS = {
    # Its sweep sends the mails. It asks the rail before an application is restarted or its payout
    # is settled, and the fraud vendor answers here.
    WEB: Uses(
        needed=("SECRET_KEY", "DATABASE_URL"),
        optional=("SECRET_KEY_FALLBACKS", "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD"),
        providers=(PAYOUT,),
        vendor=True,
    ),
    LOAN_APPROVAL: Uses(needed=("DATABASE_URL",), providers=(*Bureau.values, PAYOUT)),
    FRAUD_CHECK: Uses(needed=("DATABASE_URL",), providers=(FRAUD,), vendor=True),
    # Its DATABASE_URL is the owner's; the other URL is of the login that it makes.
    MANAGE: Uses(needed=("DATABASE_URL", "LOANOFFICE_APP_DATABASE_URL")),
}


def function_of(environment: Mapping[str, str]) -> str:
    """Return the name of the function that this process is: the web function unless it is named.

    Raises ``ImproperlyConfigured`` for a function that the table does not have.
    """
    name = environment.get(VARIABLE, "") or WEB
    if name not in FUNCTIONS:
        raise ImproperlyConfigured(
            f"{VARIABLE} is {name}: it has to be one of {', '.join(FUNCTIONS)}. Declare the "
            "secrets of a new function in loanoffice.settings.function_secrets."
        )
    return name


def secrets_of_others(function: str) -> frozenset[str]:
    """Return the names of the secrets that only other functions have."""
    everything = frozenset[str]().union(*(uses.secrets() for uses in FUNCTIONS.values()))
    return everything - FUNCTIONS[function].secrets()
