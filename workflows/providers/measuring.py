"""Measure the calls of providers for the metrics."""

from contextlib import AbstractContextManager

from core import metrics
from workflows.errors import PayoutUnknown, ProviderError
from workflows.providers.catalogue import PAYOUT
from workflows.providers.interfaces import Payment, PayoutRail


def measured(provider: str) -> AbstractContextManager[None]:
    """Measure one call; a refusal of the rail is an answer, and no error of it."""
    return metrics.provider_measured(provider, (ProviderError, PayoutUnknown))


def rail_find(rail: PayoutRail, key: str) -> Payment | None:
    """Ask the rail about an order, as ``PayoutRail.find``, and measure it."""
    with measured(PAYOUT):
        return rail.find(idempotency_key=key)
