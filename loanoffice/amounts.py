"""Sums of money by currency, as the front page shows them."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

type Amounts = Sequence[tuple[Decimal, str]]


def amounts_of(found: Iterable[tuple[str, Decimal]]) -> Amounts:
    """Add up amounts of each currency, in the alphabetical order of these."""
    sums: dict[str, Decimal] = {}
    for currency, amount in found:
        sums[currency] = sums.get(currency, Decimal()) + amount
    return [(amount, currency) for currency, amount in sorted(sums.items())]
