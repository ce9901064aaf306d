"""Record an applicant's answer to an offer, sent by their partner.

Staff may record the same answer with ``decisions.task_decide``, for example from a phone call.
Both decide the one task that the workflow waits for, under the same locks, and the first counts.
"""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from applications.locking import application_lock
from applications.models import LoanApplication, LoanOffer
from lending.choices import Outcome
from partners.models import Partner
from reviews.choices import TaskKind, TaskStatus
from reviews.errors import DecisionExpired, NothingToDecide, StaleOffer
from reviews.locking import task_lock
from reviews.models import ReviewDecision, ReviewTask
from reviews.services.answers import Answer, answers_keep
from reviews.services.authority import (
    Facts,
    already_decided,
    can_be_answered,
    check_still_open,
)


def offer_answer(
    *,
    reference: str,
    partner: Partner,
    outcome: Outcome,
    reason: str = "",
    offer_id: str | None = None,
) -> None:
    """Record the applicant's answer; the workflow continues with the payout, or declines.

    ``offer_id`` is the offer that the applicant read. Repeating the answer that counted changes
    nothing, whoever gave it. A claim by staff does not prevent the answer: claims coordinate
    colleagues, and the decider here is the applicant.

    Raises ``LoanApplication.DoesNotExist`` for an application of another partner,
    ``NothingToDecide``, ``StaleOffer`` and ``AlreadyDecided``; then nothing is written. Raises
    ``DecisionExpired`` when the time is over; then the answer is stored as late and is not
    applied.
    """
    if outcome not in {Outcome.APPROVE, Outcome.DECLINE}:
        raise ValueError("an offer is accepted or declined")
    with transaction.atomic():
        application = application_lock(reference)
        if application.partner_id != partner.pk:
            raise LoanApplication.DoesNotExist
        task = _task(application, offer_id)
        facts = Facts(application, task)
        now = timezone.now()  # under the lock, so that times follow the order of answers
        if task.status == TaskStatus.DECIDED:
            if task.outcome == outcome:
                return
            raise already_decided(facts)
        if not can_be_answered(application, task):
            raise NothingToDecide(reference=reference, status=application.status)
        too_late = _too_late(application, task, now)
        decision = ReviewDecision(
            task=task,
            partner=partner,
            outcome=outcome,
            reason=_reason_text(outcome, reason),
            application_version=application.version,
            decided_at=now,
            late=too_late is not None,
        )
        answers_keep([Answer(facts, decision)])
    if too_late is not None:
        raise too_late  # after the commit, so that the late answer is stored


def _task(application: LoanApplication, offer_id: str | None) -> ReviewTask:
    """Return the task of the current offer, locked. Raises ``NothingToDecide``, ``StaleOffer``."""
    asked = ReviewTask.objects.filter(
        application=application, attempt=application.attempt, kind=TaskKind.OFFER_ACCEPTANCE
    )
    pk = asked.order_by("-number").values_list("pk", flat=True).first()
    if pk is None:
        raise NothingToDecide(reference=application.reference, status=application.status)
    current = LoanOffer.objects.get(application=application, attempt=application.attempt).offer_id
    if offer_id is not None and offer_id != current:
        raise StaleOffer(reference=application.reference, current=current)
    return task_lock(pk)


def _too_late(
    application: LoanApplication, task: ReviewTask, now: datetime
) -> DecisionExpired | None:
    try:
        check_still_open(application, task, now)
    except DecisionExpired as over:
        return over
    return None


def _reason_text(outcome: Outcome, reason: str) -> str:
    """Return the reason to store: a decline needs one, and an applicant need not give one."""
    given = reason.strip()
    unexplained = outcome == Outcome.DECLINE and not given
    return "No reason was given." if unexplained else given
