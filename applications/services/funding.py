"""The offer and the payout: the last steps of a run, and the ones that cost money."""

import hashlib
from dataclasses import dataclass
from decimal import Decimal

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone

from applications.choices import Level, Status, Step
from applications.errors import PayoutSettled
from applications.locking import application_lock
from applications.models import (
    Disbursement,
    Document,
    Instalment,
    LoanApplication,
    LoanOffer,
    RiskAssessment,
)
from applications.models.documents import document_path
from applications.services.attempts import (
    Attempt,
    begin_step,
    ensure_current_attempt,
    log,
    move,
    pinned_policy,
    save,
    stop_waiting,
)
from applications.services.timeline import event_record
from core.errors import NotPermitted
from lending.amortisation import Schedule, schedule
from lending.choices import Outcome


@dataclass(frozen=True)
class PayoutOrder:
    """What the rail is asked to do, and what the ledger says of it so far."""

    idempotency_key: str
    amount: Decimal
    currency: str
    reference: str
    status: Disbursement.Status


def offer_make(run: Attempt) -> str:
    """Make the offer, its schedule and its letter; returns the offer's public id.

    The letter is drawn and stored before the rows are written: storage is outside of the
    database. Raises ``CaseClosed``.
    """
    known = LoanOffer.objects.filter(
        application__reference=run.reference, attempt=run.attempt
    ).first()
    if known is not None:
        return known.offer_id
    application = LoanApplication.objects.select_related("policy").get(reference=run.reference)
    assessment = RiskAssessment.objects.get(application=application, attempt=run.attempt)
    plan = schedule(
        principal=application.loan_amount,
        annual_rate=assessment.annual_rate,
        term_months=application.term_months,
    )
    now = timezone.now()
    offer = LoanOffer(
        application=application,
        attempt=run.attempt,
        offer_id=f"OFFER-{run.name.removeprefix('LOAN-')}",
        principal=application.loan_amount,
        currency=application.currency,
        annual_rate=assessment.annual_rate,
        term_months=application.term_months,
        monthly_payment=plan.monthly_payment,
        last_payment=plan.last_payment,
        total_interest=plan.total_interest,
        issued_at=now,
        expires_at=now + pinned_policy(application).offer_life,
    )
    letter = _store_letter(run, offer, plan)
    return _offer_record(run, offer, plan, letter)


@transaction.atomic(savepoint=False)
def disbursement_request(run: Attempt) -> PayoutOrder:
    """Write the ledger row before the rail is asked; from here on nothing can be withdrawn.

    There is one row an application, whatever the attempt. A run that comes again is told what
    the ledger says by now, and is turned away when the case has closed since its payout was
    refused, or goes on without it. Raises ``CaseClosed``.
    """
    application, seen = begin_step(run, "disbursing")
    if not seen:
        Disbursement.objects.bulk_create(
            [
                Disbursement(
                    application=application,
                    idempotency_key=f"payout-{run.reference}",
                    amount=application.loan_amount,
                    currency=application.currency,
                )
            ],
            ignore_conflicts=True,  # an earlier attempt may have written it
        )
        # An earlier attempt's answer was no: this one asks again, under the same key.
        Disbursement.objects.filter(
            application=application, status__in=Disbursement.NOTHING_LEFT
        ).update(status=Disbursement.Status.REQUESTED)
    ledger = Disbursement.objects.get(application=application)
    if seen and ledger.status != Disbursement.Status.PAID:
        ensure_current_attempt(run, application)
    if not seen:
        application.current_step = Step.DISBURSING
        stop_waiting(application)
        log(
            run,
            "disbursing",
            application,
            f"Paying out {ledger.amount:,.2f} {ledger.currency}.",
        )
        save(application)
    return PayoutOrder(
        idempotency_key=ledger.idempotency_key,
        amount=ledger.amount,
        currency=ledger.currency,
        reference=run.reference,
        status=Disbursement.Status(ledger.status),
    )


@transaction.atomic(savepoint=False)
def disbursement_settle(run: Attempt, *, rail_reference: str) -> None:
    """The rail paid: close the case as funded. Doing it again changes nothing."""
    application, seen = begin_step(run, "funded")
    if seen:
        return
    _fund(run, application, rail_reference=rail_reference)


@transaction.atomic(savepoint=False)
def disbursement_hold(run: Attempt, *, status: Disbursement.Status) -> None:
    """The rail refused, or nobody knows whether it paid: keep that on the ledger.

    What the ledger knows for certain stays.
    """
    application, _ = begin_step(run, "disbursement_hold")
    Disbursement.objects.filter(
        application=application,
        status__in=[Disbursement.Status.REQUESTED, Disbursement.Status.UNKNOWN],
    ).update(status=status)


@transaction.atomic
def payout_settle(
    *, reference: str, user: User, paid: bool, rail_reference: str = "", note: str = ""
) -> LoanApplication:
    """A person found out what became of a payout whose outcome nobody knew.

    Paid: the case is funded. Not paid: the ledger says so, and the case waits for a restart
    or a withdrawal. Raises ``NotPermitted``, and ``PayoutSettled`` when it is not unknown.
    """
    if not user.has_perm("applications.settle_disbursement"):
        raise NotPermitted("Only Operations says what became of a payout.")
    application = application_lock(reference)
    ledger = Disbursement.objects.filter(application=application).first()
    if ledger is None or ledger.status != Disbursement.Status.UNKNOWN:
        raise PayoutSettled(
            reference=reference, status=ledger.get_status_display() if ledger else "not requested"
        )
    run = Attempt(reference=reference, attempt=application.attempt)
    if paid:
        _fund(run, application, rail_reference=rail_reference)
    else:
        ledger.status = Disbursement.Status.NOT_PAID
        ledger.save(update_fields=["status"])
    said = "was paid" if paid else "was not paid"
    event_record(
        application=application,
        kind="payout_settled",
        message=f"The payout {said}, as a person found.",
        level=Level.WARNING,
        is_internal=True,
        actor=user,
        data={"paid": paid, "rail_reference": rail_reference, "note": note.strip()},
    )
    return application


def payout_found(
    *, application: LoanApplication, user: User, rail_reference: str | None
) -> LoanApplication:
    """What the rail says of a payout that a stuck, locked case asked for and lost sight of.

    With its reference the case is funded; with ``None`` no money left.
    """
    if rail_reference is not None:
        run = Attempt(reference=application.reference, attempt=application.attempt)
        _fund(run, application, rail_reference=rail_reference)
    else:
        Disbursement.objects.filter(
            application=application, status=Disbursement.Status.REQUESTED
        ).update(status=Disbursement.Status.NOT_PAID)
    said = "had paid" if rail_reference is not None else "had not paid"
    event_record(
        application=application,
        kind="payout_found",
        message=f"The rail {said} when it was asked before a restart.",
        level=Level.WARNING,
        is_internal=True,
        actor=user,
        data={"rail_reference": rail_reference},
    )
    return application


def _fund(run: Attempt, application: LoanApplication, *, rail_reference: str) -> None:
    """Close a locked case as funded; the ledger says paid from now on."""
    now = timezone.now()
    Disbursement.objects.filter(application=application).exclude(
        status=Disbursement.Status.PAID
    ).update(status=Disbursement.Status.PAID, rail_reference=rail_reference, funded_at=now)
    move(application, Status.FUNDED)
    application.current_step = Step.COMPLETE
    application.closed_at = now
    stop_waiting(application)
    log(run, "funded", application, "The loan is funded.", level=Level.SUCCESS)
    save(application)


@transaction.atomic(savepoint=False)
def _offer_record(run: Attempt, offer: LoanOffer, plan: Schedule, letter: Document) -> str:
    application, seen = begin_step(run, "generating_offer")
    if seen:
        return offer.offer_id
    letter.application = offer.application = application
    letter.save(force_insert=True)
    offer.letter = letter
    offer.save(force_insert=True)
    Instalment.objects.bulk_create(
        Instalment(
            offer=offer,
            number=line.number,
            payment=line.payment,
            interest=line.interest,
            principal=line.principal,
            balance=line.balance,
        )
        for line in plan.lines
    )
    move(application, Status.APPROVED)
    application.outcome = Outcome.APPROVE
    application.decision_reasons = []
    application.decided_at = offer.issued_at
    application.current_step = Step.GENERATING_OFFER
    log(
        run,
        "generating_offer",
        application,
        f"Offer {offer.offer_id}: {offer.monthly_payment:,.2f} {offer.currency} a month for "
        f"{offer.term_months} months at {offer.annual_rate} %.",
        level=Level.SUCCESS,
    )
    save(application)
    return offer.offer_id


def _store_letter(run: Attempt, offer: LoanOffer, plan: Schedule) -> Document:
    # Drawing a PDF is half a second of import, paid for only where a letter is made.
    from applications.offer_letter import offer_letter  # noqa: PLC0415

    content = offer_letter(offer=offer, plan=plan)
    letter = Document(
        application=offer.application,
        kind=Document.Kind.OFFER_LETTER,
        key=f"{run.attempt}",
        original_name=f"{offer.offer_id}.pdf",
        content_type="application/pdf",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    # No row names a letter that a run left behind when it died here: it is replaced.
    storage = letter.file.storage
    path = document_path(letter, letter.original_name)
    if storage.exists(path):
        storage.delete(path)
    letter.file.name = storage.save(path, ContentFile(content))
    return letter
