"""Propose what became of a payout of unknown outcome; another person confirms it.

Registered by ``apps`` where accounts are installed. No setting lets one person do both.
"""

from typing import Any

from django.contrib.auth.models import User

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
from applications.locking import application_lock
from applications.models import Disbursement, LoanApplication
from workflows import operations
from workflows.errors import ReferenceMissing
from workflows.payout_questions import RailAnswer

CONFIRM = "applications.confirm_disbursement"


def settlement_prepare(*, reference: str, user: User, paid: bool) -> RailAnswer:
    """Ask the rail once more for a payout of unknown outcome. Call it outside of a transaction.

    Raises as ``payout_check`` and ``payout_ask``.
    """
    application = LoanApplication.objects.get(reference=reference)
    ledger = operations.payout_check(application=application, user=user)
    return RailAnswer(ledger, operations.payout_ask(application=application, paid=paid))


def settlement_propose(
    *,
    reference: str,
    user: User,
    paid: bool,
    rail_reference: str = "",
    note: str = "",
    rail: RailAnswer | None = None,
) -> Proposal:
    """Propose to settle a payout of unknown outcome, after asking the rail once more.

    The answer of the rail decides: a payout that the rail made cannot be proposed as unpaid, and
    its own reference takes the place of a typed one. Raises ``PayoutFound``, ``RailUnreachable``
    (for "it was not paid"), ``ReferenceMissing``, ``PayoutSettled``, ``ProposedAlready``,
    ``NotPermitted``. Without the answer of ``settlement_prepare`` the rail is asked here: never
    in a transaction.
    """
    rail = rail or settlement_prepare(reference=reference, user=user, paid=paid)
    found = rail.found
    known_as = found or rail_reference.strip()
    if paid and not known_as:
        raise ReferenceMissing
    given = {
        "reference": reference,
        "paid": paid,
        "rail_reference": known_as if paid else "",
        "rail_knows": found is not None,
        "note": note.strip(),
    }
    return proposals.proposal_open(kind=SETTLEMENT, parameters=given, user=user, note=note)


def settlement_open(application: LoanApplication) -> Proposal | None:
    """Return the open proposal to settle the payout of this application."""
    subject = _subject({"reference": application.reference})
    return proposals.open_proposal(kind=SETTLEMENT, subject=subject)


def _subject(given: Parameters) -> str:
    return f"payout of {given['reference']}"


def _application(given: Parameters) -> LoanApplication:
    return LoanApplication.objects.get(reference=given["reference"])


def _describe(given: Parameters) -> Description:
    application = _application(given)
    ledger = Disbursement.objects.get(application=application)
    paid = given["paid"]
    rows = [
        ("Amount", "", f"{ledger.amount:,.2f} {ledger.currency}"),
        ("Outcome of the payout", ledger.get_status_display(), "Paid" if paid else "Not paid"),
    ]
    if paid:
        source = "as the rail says" if given["rail_knows"] else "as typed; the rail does not say it"
        rows.append(("The rail's reference", "", f"{given['rail_reference']} ({source})"))
    return Description(
        title=f"Settle the payout of {application.reference}: {'paid' if paid else 'not paid'}",
        sentence=(
            "The loan is funded then. This cannot be undone."
            if paid
            else "The application can be restarted then, which pays it, or withdrawn."
        ),
        rows=tuple(rows),
        target=application,
        reference=application.reference,
    )


def _state(given: Parameters) -> dict[str, Any]:
    application = _application(given)
    ledger = Disbursement.objects.get(application=application)
    return {
        "application": [application.status, application.attempt],
        "ledger": [ledger.status, ledger.amount, ledger.currency, ledger.rail_reference],
    }


def _perform(given: Parameters, confirmed: Confirmed) -> Outcome:
    application = operations.payout_settle(
        reference=given["reference"],
        confirmed=confirmed,
        paid=given["paid"],
        rail_reference=given["rail_reference"],
        note=given["note"],
    )
    if given["paid"]:
        return Outcome(sentence=f"{application.reference} was paid: the loan is funded.")
    return Outcome(
        sentence=f"{application.reference} was not paid. Restart it to pay it, or withdraw it."
    )


SETTLEMENT = register(
    ProposalKind(
        name="workflows.settle_payout",
        label="Settle a payout of unknown outcome",
        propose=(operations.SETTLE,),
        confirm=(CONFIRM,),
        based_on="The payout or the application",
        subject=_subject,
        describe=_describe,
        state=_state,
        prepare=lambda given: operations.payout_ask(
            application=_application(given), paid=given["paid"]
        ),
        lock=lambda given: application_lock(given["reference"]),
        perform=_perform,
    )
)
