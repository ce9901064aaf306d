"""Ask the payout rail before an application is withdrawn, if an order was ever sent for it."""

from collections.abc import Callable
from typing import NamedTuple

from applications.choices import Status
from applications.models import Disbursement


class Asked(NamedTuple):
    """The status and number of orders of the payout that the rail was asked for, if any."""

    ledger: tuple[str, int] | None


# Asks the payout rail for the orders of a payout, and raises ``PayoutInDoubt``. Set by
# ``workflows.apps``: the rail belongs to a layer above this one.
ASK_RAIL: list[Callable[[Disbursement, str], None]] = []


def withdrawal_prepare(*, reference: str) -> Asked:
    """Ask the payout rail if an order was ever sent for the application, and not paid as we know.

    Call it outside of a transaction. Raises ``PayoutInDoubt`` unless the rail says that nothing
    was paid, or will be.
    """
    ledger = (
        Disbursement.objects.filter(
            application__reference=reference, status__in=Disbursement.NOTHING_LEFT
        )
        .exclude(application__status=Status.WITHDRAWN)
        .first()
    )
    if ledger is None:
        return Asked(None)
    for ask in ASK_RAIL:
        ask(ledger, reference)
    return Asked((ledger.status, ledger.orders))
