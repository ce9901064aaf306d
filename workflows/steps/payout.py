"""Pay out once, and record what became of a payout that nobody knew of.

The ledger row is written before the rail is asked, under one key an order. There is one order an
application; a new one takes two people, after the rail refused.
"""

import logging
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from applications.choices import Level, Status, Step
from applications.models import Disbursement, LoanApplication
from applications.services import attempts
from applications.services.timeline import event_record
from core.database import insert_once
from workflows import executions
from workflows.callbacks.wakeups import WakeUp
from workflows.db_threads import run_in_db_thread
from workflows.errors import NotApproved, PayoutRefused, PayoutUnknown, ProviderError
from workflows.executions import Closed
from workflows.funding_requirements import BEFORE_PAYOUT, described, lacking
from workflows.providers import registry
from workflows.providers.catalogue import PAYOUT
from workflows.providers.interfaces import PaymentState, PayoutRail
from workflows.providers.measuring import measured, rail_find
from workflows.steps.checked import Missing, begin_checked, facts_of

if TYPE_CHECKING:
    from accounts.proposal_kinds import Confirmed

logger = logging.getLogger(__name__)

DISBURSING = "disbursing"


class PayoutOrder(NamedTuple):
    """The payment that the rail is asked for, and its status in the ledger so far."""

    keys: tuple[str, ...]  # of every order; the current one is the last
    amount: Decimal
    currency: str
    reference: str
    status: Disbursement.Status
    lacks: str = ""  # what the record has lost since the payout was requested


def disburse(
    attempt: attempts.Attempt, *, operation: str = DISBURSING, wakeup: WakeUp | None = None
) -> Closed | Missing:
    """Pay once: ledger, then the rail under the order's key, then the application.

    Returns ``Missing`` instead while the record lacks a decision without which nothing is paid.
    A rerun asks the rail what it knows before it pays again. Raises ``ProviderError``
    while the rail cannot be asked, ``PayoutRefused``, ``PayoutUnknown`` and ``NotApproved`` for
    a person.
    """
    order = run_in_db_thread(
        lambda: disbursement_request(attempt, operation=operation, wakeup=wakeup)
    )
    if isinstance(order, Missing):
        return order
    if order.status != Disbursement.Status.PAID:
        _pay(attempt, order)
    return Closed(status=Status.FUNDED.value)


@transaction.atomic(savepoint=False)
def disbursement_request(
    attempt: attempts.Attempt, *, operation: str = DISBURSING, wakeup: WakeUp | None = None
) -> PayoutOrder | Missing:
    """Write the ledger row before the rail is asked; from here on nothing can be withdrawn.

    The record must have every decision that the payout needs; else the row is not written, and
    what is missing is returned. There is one row an application, whatever the attempt. An attempt
    that comes again gets what the ledger says by now, and is refused when the application has
    closed since its payout was refused, or goes on without it. Raises ``ApplicationClosed``,
    ``AnswerDiffers``, ``NotApproved``.
    """
    begun = begin_checked(
        attempt, operation=operation, work=DISBURSING, wakeup=wakeup, needs=BEFORE_PAYOUT
    )
    if begun.missing is not None:
        return begun.missing
    application, seen = begun.application, begun.seen
    lacks = ""
    ledger = Disbursement.objects.get(application=application) if seen else _ledger(application)
    if seen and ledger.status != Disbursement.Status.PAID:
        attempts.ensure_current_attempt(attempt, application)
        lacks = described(lacking(facts_of(application), BEFORE_PAYOUT))
    if not seen:
        application.current_step = Step.DISBURSING
        attempts.stop_waiting(application)
        attempts.log(
            attempt,
            DISBURSING,
            application,
            f"Paying out {ledger.amount:,.2f} {ledger.currency}.",
        )
        attempts.save(application)
    return PayoutOrder(
        keys=ledger.order_keys,
        amount=ledger.amount,
        currency=ledger.currency,
        reference=attempt.reference,
        status=Disbursement.Status(ledger.status),
        lacks=lacks,
    )


def _ledger(application: LoanApplication) -> Disbursement:
    """Write the ledger row, or ask again under the current order's key what was refused before."""
    row = Disbursement(
        application=application,
        idempotency_key=f"payout-{application.reference}",
        amount=application.loan_amount,
        currency=application.currency,
    )
    if insert_once(row, unique="application"):
        return row
    # An earlier attempt wrote it.
    Disbursement.objects.filter(
        application=application, status__in=Disbursement.NOTHING_LEFT
    ).update(status=Disbursement.Status.REQUESTED)
    return Disbursement.objects.get(application=application)


@transaction.atomic(savepoint=False)
def disbursement_settle(attempt: attempts.Attempt, *, rail_reference: str) -> LoanApplication:
    """Close the application as funded: the rail paid. Doing it again changes nothing."""
    application, seen = attempts.begin_step(attempt, "funded")
    if not seen:
        _fund(attempt, application, rail_reference=rail_reference)
    return application


@transaction.atomic(savepoint=False)
def disbursement_hold(attempt: attempts.Attempt, *, status: Disbursement.Status) -> None:
    """Record in the ledger that the rail refused, or that nobody knows whether it paid.

    What the ledger knows for certain stays.
    """
    application, _ = attempts.begin_step(attempt, "disbursement_hold")
    Disbursement.objects.filter(
        application=application,
        status__in=[Disbursement.Status.REQUESTED, Disbursement.Status.UNKNOWN],
    ).update(status=status)


def payout_settle(
    *,
    application: LoanApplication,
    confirmed: "Confirmed",
    paid: bool,
    rail_reference: str,
    note: str,
) -> None:
    """Record what two people found out about the unknown payout of a locked application.

    Paid: the application is funded. Not paid: the ledger says so, and the application waits
    for a restart or a withdrawal.
    """
    if paid:
        attempt = attempts.Attempt(reference=application.reference, number=application.attempt)
        _fund(attempt, application, rail_reference=rail_reference)
    else:
        Disbursement.objects.filter(application=application).update(
            status=Disbursement.Status.NOT_PAID
        )
    outcome = "was paid" if paid else "was not paid"
    event_record(
        application=application,
        kind="payout_settled",
        message=f"The payout {outcome}, as two people found.",
        level=Level.WARNING,
        is_internal=True,
        actor=confirmed.confirmer,
        data={"paid": paid, "rail_reference": rail_reference, "note": note, **confirmed.details},
    )


def payout_found(
    *, application: LoanApplication, user: User, rail_reference: str | None, failed: bool = False
) -> None:
    """Record what the rail says of a payout of a stuck, locked application.

    With its reference the application is funded; with ``None`` no money left, and ``failed`` says
    that none will under the current order.
    """
    if rail_reference is not None:
        attempt = attempts.Attempt(reference=application.reference, number=application.attempt)
        _fund(attempt, application, rail_reference=rail_reference)
    elif failed:
        Disbursement.objects.filter(application=application).update(
            status=Disbursement.Status.REFUSED
        )
    else:
        Disbursement.objects.filter(
            application=application, status=Disbursement.Status.REQUESTED
        ).update(status=Disbursement.Status.NOT_PAID)
    outcome = "had paid" if rail_reference is not None else "had not paid"
    if failed:
        outcome = "had refused or failed the order"
    event_record(
        application=application,
        kind="payout_found",
        message=f"The rail {outcome} when it was asked before a restart.",
        level=Level.WARNING,
        is_internal=True,
        actor=user,
        data={"rail_reference": rail_reference},
    )


def payout_order_anew(*, application: LoanApplication, confirmed: "Confirmed", note: str) -> None:
    """Derive the key of a new order for a locked application whose payout the rail refused."""
    ledger = Disbursement.objects.get(application=application)
    refused = ledger.order_keys[-1]
    ledger.orders += 1
    ledger.status = Disbursement.Status.NOT_PAID
    ledger.save(update_fields=["orders", "status"])
    event_record(
        application=application,
        kind="payout_ordered_anew",
        message=f"Order {ledger.orders} of the payout follows the one that the rail refused.",
        level=Level.WARNING,
        is_internal=True,
        actor=confirmed.confirmer,
        data={
            "refused": refused,
            "key": ledger.order_keys[-1],
            "note": note,
            **confirmed.details,
        },
    )


def _fund(attempt: attempts.Attempt, application: LoanApplication, *, rail_reference: str) -> None:
    """Close a locked application as funded, once; the ledger says paid from now on."""
    done = "The loan is funded."
    if not attempts.log(
        attempt, "funded", application, done, step=Step.COMPLETE, level=Level.SUCCESS
    ):
        return
    now = timezone.now()
    Disbursement.objects.filter(application=application).exclude(
        status=Disbursement.Status.PAID
    ).update(status=Disbursement.Status.PAID, rail_reference=rail_reference, funded_at=now)
    attempts.move(application, Status.FUNDED)
    application.current_step = Step.COMPLETE
    application.closed_at = now
    attempts.stop_waiting(application)
    attempts.save(application)


def _pay(attempt: attempts.Attempt, order: PayoutOrder) -> None:
    rail = registry.payout_rail()
    try:
        paid = _paid_before(rail, order) or _ask_to_pay(rail, order)
    except PayoutUnknown as error:
        # The answer was lost, perhaps not the payout: the rail may know it by now.
        found = _find_again(rail, order)
        if found is None:
            run_in_db_thread(lambda: disbursement_hold(attempt, status=Disbursement.Status.UNKNOWN))
            raise
        logger.warning("The rail paid, its answer was lost", extra={"why": str(error)})
        paid = found
    except PayoutRefused:
        run_in_db_thread(lambda: disbursement_hold(attempt, status=Disbursement.Status.REFUSED))
        raise

    @transaction.atomic
    def settle() -> None:
        application = disbursement_settle(attempt, rail_reference=paid)
        executions.execution_finish(attempt, Status.FUNDED, application=application)

    run_in_db_thread(settle)


def _paid_before(rail: PayoutRail, order: PayoutOrder) -> str | None:
    """Return the rail's reference if an order was paid; ``None`` when it may be asked to pay.

    Raises ``PayoutUnknown`` for an order that the rail has and has not settled, unless it is one
    that was refused before.
    """
    current = order.keys[-1]
    for key in order.keys:
        payment = rail_find(rail, key)
        if payment is None:
            continue
        if payment.state == PaymentState.SETTLED:
            return payment.reference
        was_refused = key != current or order.status in Disbursement.NOTHING_LEFT
        if payment.state == PaymentState.OPEN or not was_refused:
            raise PayoutUnknown(f"The rail has the order {key}, and says that it is not settled.")
    return None


def _ask_to_pay(rail: PayoutRail, order: PayoutOrder) -> str:
    if order.status == Disbursement.Status.UNKNOWN:
        raise PayoutUnknown("An earlier try may have paid; a person has to find out.")
    if order.status in Disbursement.NOTHING_LEFT:
        raise PayoutRefused("It was refused before; only a new attempt asks again.")
    if order.lacks:
        why = f"since its payout was requested the record lacks {order.lacks}"
        raise NotApproved(reference=order.reference, why=why)
    with measured(PAYOUT):
        return rail.pay(
            idempotency_key=order.keys[-1],
            amount=order.amount,
            currency=order.currency,
            reference=order.reference,
        )


def _find_again(rail: PayoutRail, order: PayoutOrder) -> str | None:
    """Return the rail's reference if it says by now that it paid."""
    try:
        payments = [rail_find(rail, key) for key in order.keys]
    except ProviderError:
        return None
    settled = (p.reference for p in payments if p and p.state == PaymentState.SETTLED)
    return next(settled, None)
