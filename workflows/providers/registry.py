"""Choose the adapter of a provider: over HTTP where a URL is set, else the simulator.

On AWS a function calls only the providers whose tokens are among its secrets
(``loanoffice.settings.function_secrets``). For another one it gets ``ImproperlyConfigured`` with
the name of the token, where the provider would answer 401. This holds for simulated providers
too, so that staging shows it.
"""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from applications.choices import Bureau
from workflows.callbacks.tokens import vendor_secrets
from workflows.providers.catalogue import FRAUD, PAYOUT, TOKEN_VARIABLES
from workflows.providers.http import HttpBureau, HttpFraudService, HttpPayoutRail
from workflows.providers.interfaces import CreditBureau, FraudService, FraudVendor, PayoutRail
from workflows.providers.simulated import (
    SimulatedBureau,
    SimulatedFraudService,
    SimulatedPayoutRail,
)
from workflows.providers.vendor import HttpFraudVendor


def bureau(which: Bureau) -> CreditBureau:
    at = _own(which.value)
    return HttpBureau(**at) if at["url"] else SimulatedBureau(which)


def fraud_service() -> FraudService:
    at = _own(FRAUD)
    return HttpFraudService(**at) if at["url"] else SimulatedFraudService()


def fraud_vendor() -> FraudVendor | None:
    """The vendor that answers a callback; ``None`` where the fraud service is asked instead."""
    _own(FRAUD)  # who may not ask the service may not ask the vendor
    url: str = settings.LOANOFFICE_FRAUD_VENDOR_URL
    return HttpFraudVendor(url=url, secrets=vendor_secrets()) if url else None


def payout_rail() -> PayoutRail:
    at = _own(PAYOUT)
    return HttpPayoutRail(**at) if at["url"] else SimulatedPayoutRail()


def _own(provider: str) -> dict[str, str]:
    """The URL and the token of a provider that this function may call."""
    at = settings.LOANOFFICE_PROVIDERS[provider]
    url, token = at["url"], at["token"]
    if token is None:
        raise ImproperlyConfigured(
            f"{TOKEN_VARIABLES[provider]} is not among the secrets of "
            f"{settings.LOANOFFICE_FUNCTION}, so it does not call this provider."
        )
    return {"url": url or "", "token": token}
