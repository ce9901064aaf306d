"""Choose the adapter of a provider: over HTTP where a URL is set, else the simulator."""

from django.conf import settings

from applications.choices import Bureau
from workflows.callbacks.tokens import vendor_secrets
from workflows.providers.catalogue import FRAUD, PAYOUT
from workflows.providers.http import HttpBureau, HttpFraudService, HttpPayoutRail
from workflows.providers.interfaces import CreditBureau, FraudService, FraudVendor, PayoutRail
from workflows.providers.simulated import (
    SimulatedBureau,
    SimulatedFraudService,
    SimulatedPayoutRail,
)
from workflows.providers.vendor import HttpFraudVendor


def bureau(which: Bureau) -> CreditBureau:
    at = settings.LOANOFFICE_PROVIDERS[which.value]
    return HttpBureau(**at) if at["url"] else SimulatedBureau(which)


def fraud_service() -> FraudService:
    at = settings.LOANOFFICE_PROVIDERS[FRAUD]
    return HttpFraudService(**at) if at["url"] else SimulatedFraudService()


def fraud_vendor() -> FraudVendor | None:
    """The vendor that answers a callback; ``None`` where the fraud service is asked instead."""
    url: str = settings.LOANOFFICE_FRAUD_VENDOR_URL
    return HttpFraudVendor(url=url, secrets=vendor_secrets()) if url else None


def payout_rail() -> PayoutRail:
    at = settings.LOANOFFICE_PROVIDERS[PAYOUT]
    return HttpPayoutRail(**at) if at["url"] else SimulatedPayoutRail()
