"""Make the offer, its schedule and its letter."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from applications.choices import Level, Status, Step
from applications.errors import ApplicationClosed
from applications.models import (
    Document,
    Instalment,
    LoanApplication,
    LoanOffer,
    RiskAssessment,
)
from applications.models.documents import document_path
from applications.services import attempts
from audit.times import promised_until
from lending.amortisation import Schedule, schedule
from lending.choices import Outcome
from workflows import accepted_terms
from workflows.callbacks.wakeups import WakeUp
from workflows.db_threads import run_in_db_thread
from workflows.funding_requirements import BEFORE_OFFER
from workflows.providers.simulated import STEP_SECONDS, simulate_latency
from workflows.steps.checked import Missing, begin_checked, seconds_until

GENERATING_OFFER = "generating_offer"


@dataclass(frozen=True)
class Offered:
    """The offer's public id, and the seconds that are left to answer it."""

    offer_id: str
    seconds_left: int


class Planned(NamedTuple):
    """An offer that is to be made, with its schedule."""

    offer: LoanOffer
    plan: Schedule


def generate_offer(
    attempt: attempts.Attempt, *, operation: str = GENERATING_OFFER, wakeup: WakeUp | None = None
) -> Offered | Missing:
    """Record what the fraud check found, then make the offer.

    Returns ``Missing`` instead while the record lacks a decision that the offer needs.
    """
    missing = run_in_db_thread(lambda: offer_begin(attempt, operation=operation, wakeup=wakeup))
    if missing is not None:
        return missing
    simulate_latency(STEP_SECONDS)
    planned = run_in_db_thread(lambda: offer_plan(attempt))
    offer = planned if isinstance(planned, LoanOffer) else _offer_make(attempt, planned)
    letters_forget(offer)
    return Offered(offer.offer_id, seconds_until(offer.expires_at))


def _offer_make(attempt: attempts.Attempt, planned: Planned) -> LoanOffer:
    letter = letter_store(attempt, planned)
    try:
        return run_in_db_thread(lambda: offer_record(attempt, planned, letter))
    except ApplicationClosed:  # nothing was written, and nothing will be
        letter.file.storage.delete(str(letter.file.name))
        raise


@transaction.atomic(savepoint=False)
def offer_begin(
    attempt: attempts.Attempt, *, operation: str = GENERATING_OFFER, wakeup: WakeUp | None = None
) -> Missing | None:
    """Record the fraud check's result and show that the offer is being made.

    Returns what the record lacks first. Raises ``ApplicationClosed``, ``AnswerDiffers``,
    ``NotApproved``.
    """
    begun = begin_checked(
        attempt, operation=operation, work="fraud_answer", wakeup=wakeup, needs=BEFORE_OFFER
    )
    if begun.missing is not None or begun.seen:
        return begun.missing
    if begun.facts is None or not begun.facts.flags:
        message, level = "The fraud check passed.", Level.SUCCESS
    else:
        message, level = "The fraud check's flag was cleared on review.", Level.WARNING
    attempts.log(
        attempt, "fraud_answer", begun.application, message, step=Step.FRAUD_CHECK, level=level
    )
    begun.application.current_step = Step.GENERATING_OFFER
    attempts.stop_waiting(begun.application)
    attempts.save(begun.application)
    return None


def offer_plan(attempt: attempts.Attempt) -> Planned | LoanOffer:
    """Work out the offer and its schedule, or find the offer that was made before. Writes nothing.

    It can be answered until ``expires_at``, the end of a day of the office.
    """
    made = LoanOffer.objects.filter(application=OuterRef("application"), attempt=attempt.number)
    assessment = (
        RiskAssessment.objects.select_related("application")
        .annotate(is_offered=Exists(made))
        .get(application__reference=attempt.reference, attempt=attempt.number)
    )
    application = assessment.application
    if assessment.is_offered:
        return _known(attempt, application)
    plan = schedule(
        principal=application.loan_amount,
        annual_rate=assessment.annual_rate,
        term_months=application.term_months,
    )
    now = timezone.now()
    offer = LoanOffer(
        application=application,
        attempt=attempt.number,
        offer_id=f"OFFER-{attempt.name.removeprefix('LOAN-')}",
        principal=application.loan_amount,
        currency=application.currency,
        annual_rate=assessment.annual_rate,
        term_months=application.term_months,
        monthly_payment=plan.monthly_payment,
        last_payment=plan.last_payment,
        total_interest=plan.total_interest,
        issued_at=now,
        expires_at=promised_until(now, attempts.pinned_policy(application).offer_life),
    )
    return Planned(offer, plan)


@transaction.atomic(savepoint=False)
def offer_record(attempt: attempts.Attempt, planned: Planned, letter: Document) -> LoanOffer:
    """Write the offer, its schedule and its letter, or return the offer that was made before.

    Raises ``ApplicationClosed``.
    """
    offer, plan = planned.offer, planned.plan
    application, seen = attempts.begin_step(attempt, "generating_offer")
    if seen:
        return _known(attempt, application)
    letter.application = offer.application = application
    policy = attempts.pinned_policy(application)
    holds = accepted_terms.acceptance_set(offer, required=policy.offer_acceptance_required)
    if not attempts.log(
        attempt,
        "generating_offer",
        application,
        f"Offer {offer.offer_id}: {offer.monthly_payment:,.2f} {offer.currency} a month for "
        f"{offer.term_months} months at {offer.annual_rate} %."
        + (" The applicant accepted these terms before." if holds else ""),
        step=Step.GENERATING_OFFER,
        level=Level.SUCCESS,
    ):
        return _known(attempt, application)
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
    attempts.move(application, Status.APPROVED)
    application.outcome = Outcome.APPROVE
    application.decision_reasons = []
    application.decided_at = offer.issued_at
    application.current_step = Step.GENERATING_OFFER
    attempts.save(application)
    return offer


def _known(attempt: attempts.Attempt, application: LoanApplication) -> LoanOffer:
    offers = LoanOffer.objects.select_related("letter__application")
    return offers.get(application=application, attempt=attempt.number)


def letter_store(attempt: attempts.Attempt, planned: Planned) -> Document:
    """Draw the letter and store it; its row is written with the offer's, later.

    Drawing and storing take long, so never call it where others wait for the database. The path
    has the hash of the letter, so no run replaces the letter that another run has recorded.
    """
    offer = planned.offer
    content = _draw_letter(offer, planned.plan)
    letter = Document(
        application=offer.application,
        kind=Document.Kind.OFFER_LETTER,
        key=f"{attempt.number}",
        original_name=f"{offer.offer_id}.pdf",
        content_type="application/pdf",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    path = f"{_letters(letter)}{letter.sha256[:16]}.pdf"
    letter.file.name = letter.file.storage.save(path, ContentFile(content))
    return letter


def letters_forget(offer: LoanOffer) -> None:
    """Delete the letters that other runs of the step stored: the attempt's offer is recorded.

    Such a run died before it recorded its letter, or was too late with it.
    """
    if offer.letter is None:
        raise RuntimeError(f"offer {offer.offer_id} has no letter")
    kept, storage = offer.letter.file.name, offer.letter.file.storage
    folder, _, start = _letters(offer.letter).rpartition("/")
    try:
        _, names = storage.listdir(folder)
    except FileNotFoundError:  # a file system says so of a folder in which nothing was stored
        return
    for name in names:
        path = f"{folder}/{name}"
        if name.startswith(start) and path != kept:
            storage.delete(path)


def _letters(letter: Document) -> str:
    """Return the beginning of the paths of all letters of the attempt."""
    return f"{document_path(letter, letter.original_name).removesuffix('.pdf')}-"


def _draw_letter(offer: LoanOffer, plan: Schedule) -> bytes:
    # Drawing a PDF is half a second of import, paid for only where a letter is made.
    from applications.offer_letter import offer_letter  # noqa: PLC0415

    return offer_letter(offer=offer, plan=plan)
