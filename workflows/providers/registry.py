"""Which provider is spoken to: an HTTP adapter where a URL is set, else the simulator."""

from django.conf import settings

from applications.vocabulary import Bureau
from workflows.providers.http import HttpBureau, HttpFraudService, HttpPayoutRail
from workflows.providers.interfaces import CreditBureau, FraudService, PayoutRail
from workflows.providers.simulated import (
    SimulatedBureau,
    SimulatedFraudService,
    SimulatedPayoutRail,
)


def bureau(which: Bureau) -> CreditBureau:
    at = settings.LOANOFFICE_PROVIDERS[which.value]
    return HttpBureau(**at) if at["url"] else SimulatedBureau(which)


def fraud_service() -> FraudService:
    at = settings.LOANOFFICE_PROVIDERS["fraud"]
    return HttpFraudService(**at) if at["url"] else SimulatedFraudService()


def payout_rail() -> PayoutRail:
    at = settings.LOANOFFICE_PROVIDERS["payout"]
    return HttpPayoutRail(**at) if at["url"] else SimulatedPayoutRail()
