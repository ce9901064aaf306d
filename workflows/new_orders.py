"""Order a payout anew after the rail refused it: one person proposes, another confirms.

A rail repeats its first answer to a key, so that a restart under the same key is refused again. The
new key is derived from the first one. Nothing is ordered anew that might be paid under an earlier
key: the rail is asked about all of them, at the proposal and at the confirmation.
Registered by ``apps`` where accounts are installed. No setting lets one person do both.
"""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from accounts import proposals
from accounts.models import Proposal
from accounts.proposal_kinds import (
    Confirmed,
    Description,
    Outcome,
    Parameters,
    ProposalKind,
    register,
)
from applications.choices import Status
from applications.locking import application_lock
from applications.models import Disbursement, LoanApplication
from core.errors import NotPermitted
from workflows import attempts, incidents
from workflows.errors import NothingRefused, PayoutFound
from workflows.operations import SETTLE
from workflows.payout_questions import orders_needed
from workflows.proposals import CONFIRM
from workflows.steps import payout


def new_order_check(*, application: LoanApplication, user: User) -> Disbursement:
    """Return the refused payout that ``user`` may order anew; raises why they may not."""
    if not user.has_perm(SETTLE):
        raise NotPermitted("Only Operations orders a payout anew.")
    return _refused(application)


def new_order_prepare(*, application: LoanApplication) -> None:
    """Ask the rail about every earlier order. Call it outside of a transaction.

    Raises ``NothingRefused``, ``PayoutFound``, ``PayoutInDoubt``, ``RailUnreachable``.
    """
    reference = application.reference
    settled = orders_needed(_refused(application), reference).settled
    if settled is not None:
        raise PayoutFound(reference=reference, rail_reference=settled)


def new_order_propose(*, reference: str, user: User, note: str, asked: bool = False) -> Proposal:
    """Propose a new order of a payout that the rail refused, after asking the rail once more.

    Raises as ``new_order_check`` and ``new_order_prepare``, and ``ProposedAlready``. Unless the
    rail was ``asked`` by ``new_order_prepare`` just before, it is here: never in a transaction.
    """
    application = LoanApplication.objects.get(reference=reference)
    new_order_check(application=application, user=user)
    if not asked:
        new_order_prepare(application=application)
    given = {"reference": reference, "note": note.strip()}
    return proposals.proposal_open(kind=NEW_ORDER, parameters=given, user=user, note=note)


def new_order_open(application: LoanApplication) -> Proposal | None:
    """Return the open proposal to order the payout of this application anew."""
    subject = _subject({"reference": application.reference})
    return proposals.open_proposal(kind=NEW_ORDER, subject=subject)


@transaction.atomic
def new_order_place(*, reference: str, confirmed: Confirmed, note: str) -> LoanApplication:
    """Derive the next key and begin a new attempt, which pays under it.

    Raises ``NothingRefused``, and ``NotPermitted`` for one person alone.
    """
    if confirmed.alone or confirmed.proposer is None:
        raise NotPermitted("Two people order a payout anew: one alone cannot.")
    application = application_lock(reference)
    _refused(application)
    payout.payout_order_anew(application=application, confirmed=confirmed, note=note)
    attempts.attempt_begin(
        application=application, reason="Its payout is ordered anew.", user=confirmed.confirmer
    )
    incidents.incidents_close(application=application, note="Ordered anew.", by=confirmed.confirmer)
    return application


def _refused(application: LoanApplication) -> Disbursement:
    ledger = Disbursement.objects.filter(application=application).first()
    if (
        ledger is None
        or ledger.status != Disbursement.Status.REFUSED
        or application.status != Status.NEEDS_ATTENTION
    ):
        raise NothingRefused(reference=application.reference)
    return ledger


def _application(given: Parameters) -> LoanApplication:
    return LoanApplication.objects.get(reference=given["reference"])


def _subject(given: Parameters) -> str:
    return f"new order of {given['reference']}"


def _describe(given: Parameters) -> Description:
    application = _application(given)
    ledger = Disbursement.objects.get(application=application)
    return Description(
        title=f"Order the payout of {application.reference} anew",
        sentence=(
            "The application is restarted from the first step then, under the same policy "
            "version, and paid under the new key once it is approved again. An offer that was "
            "accepted holds."
        ),
        rows=(
            ("Amount", "", f"{ledger.amount:,.2f} {ledger.currency}"),
            (
                "Key at the rail",
                ledger.order_keys[-1],
                f"{ledger.idempotency_key}-{ledger.orders + 1}",
            ),
        ),
        target=application,
        reference=application.reference,
    )


def _state(given: Parameters) -> dict[str, Any]:
    application = _application(given)
    ledger = Disbursement.objects.get(application=application)
    return {
        "application": [application.status, application.attempt],
        "ledger": [ledger.status, ledger.orders, ledger.amount, ledger.currency],
    }


def _perform(given: Parameters, confirmed: Confirmed) -> Outcome:
    application = new_order_place(
        reference=given["reference"], confirmed=confirmed, note=given["note"]
    )
    return Outcome(
        sentence=f"The payout of {application.reference} is ordered anew, in attempt "
        f"{application.attempt}."
    )


NEW_ORDER = register(
    ProposalKind(
        name="workflows.order_payout_anew",
        label="Order a refused payout anew",
        propose=(SETTLE,),
        confirm=(CONFIRM,),
        based_on="The payout or the application",
        subject=_subject,
        describe=_describe,
        state=_state,
        prepare=lambda given: new_order_prepare(application=_application(given)),
        lock=lambda given: application_lock(given["reference"]),
        perform=_perform,
    )
)
