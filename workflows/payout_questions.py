"""Ask the payout rail what became of every order of a payout.

The rail is outside: nothing here may be called in a transaction.
"""

import logging
from dataclasses import dataclass

from applications.errors import PayoutInDoubt
from applications.models import Disbursement
from workflows import errors
from workflows.providers import registry
from workflows.providers.interfaces import PaymentState
from workflows.providers.measuring import rail_find

logger = logging.getLogger(__name__)

OPEN = "the rail has it under way"


@dataclass(frozen=True)
class RailAnswer:
    """The rail's answer about a payout: its reference if it was paid, and whether it failed.

    ``ledger`` is ``None`` when no order was ever sent. ``failed`` is about the current order, to
    which the rail would give the same answer again.
    """

    ledger: Disbursement | None
    found: str | None
    failed: bool = False


@dataclass(frozen=True)
class Orders:
    """The orders of a payout at the rail: the reference of a settled one, and the others."""

    settled: str | None
    current: PaymentState | None  # ``None``: the rail has no such order
    is_one_open: bool


def orders_ask(ledger: Disbursement) -> Orders:
    """Ask the rail about every key that an order was ever sent under. Raises ``ProviderError``."""
    rail = registry.payout_rail()
    payments = [rail_find(rail, key) for key in ledger.order_keys]
    known = [payment for payment in payments if payment is not None]
    settled = [each.reference for each in known if each.state == PaymentState.SETTLED]
    return Orders(
        settled=settled[0] if settled else None,
        current=None if payments[-1] is None else payments[-1].state,
        is_one_open=any(each.state == PaymentState.OPEN for each in known),
    )


def orders_needed(ledger: Disbursement, reference: str) -> Orders:
    """Ask as ``orders_ask``, where nothing can be done without an answer that is certain.

    Raises ``RailUnreachable``, and ``PayoutInDoubt`` while an order is under way.
    """
    try:
        orders = orders_ask(ledger)
    except errors.ProviderError as error:
        raise errors.RailUnreachable(reference=reference, why=str(error)) from error
    if orders.settled is None and orders.is_one_open:
        raise PayoutInDoubt(reference=reference, why=OPEN)
    return orders


def withdrawal_ask(ledger: Disbursement, reference: str) -> None:
    """Raise ``PayoutInDoubt`` unless the rail says that no order was paid, or is under way."""
    try:
        orders = orders_ask(ledger)
    except errors.ProviderError as error:
        logger.warning("The rail did not say whether it paid", extra={"why": str(error)})
        why = "the payout rail cannot be asked now"
        raise PayoutInDoubt(reference=reference, why=why) from error
    if orders.settled is not None:
        raise PayoutInDoubt(reference=reference, why="the rail says that it was paid")
    if orders.is_one_open:
        raise PayoutInDoubt(reference=reference, why=OPEN)
