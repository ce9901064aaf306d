"""Keep accepted terms accepted when an application is restarted.

A restart keeps the policy version unless Operations choose the one in force. Under the same version
an offer that was accepted, or that nobody had to accept, holds: its credit reports are used again,
so that the terms are the same, and the applicant is not asked again. Under another version, or with
other terms, the applicant is asked, whatever the policy says.
"""

from django.db.models import QuerySet

from applications.models import CreditReport, LoanApplication, LoanOffer, RiskAssessment
from reviews.choices import TaskKind
from reviews.models import ReviewTask


def offer_that_holds(application: LoanApplication) -> LoanOffer | None:
    """Return the last offer of an earlier attempt, if it holds for the current one."""
    last = _earlier(application).order_by("-attempt").first()
    if last is None or last.declined_at is not None:
        return None
    agreed = last.accepted_at is not None or not last.acceptance_required
    same_policy = RiskAssessment.objects.filter(
        application=application, attempt=last.attempt, policy=application.policy_id
    )
    return last if agreed and same_policy.exists() else None


def offered_before(application: LoanApplication) -> bool:
    """True if there was an offer in an earlier attempt."""
    return _earlier(application).exists()


def reports_that_hold(application: LoanApplication) -> dict[str, CreditReport] | None:
    """Return the credit reports of the offer that holds, by bureau; ``None`` if none does."""
    holds = offer_that_holds(application)
    if holds is None:
        return None
    reports = CreditReport.objects.filter(application=application, attempt=holds.attempt)
    return {report.bureau: report for report in reports}


def acceptance_set(offer: LoanOffer, *, required: bool) -> bool:
    """Set on a new offer whether it needs the applicant's acceptance, or has it already.

    ``required`` is what the policy says. Returns true if an earlier acceptance holds.
    """
    application = offer.application
    holds = offer_that_holds(application)
    if holds is not None and holds.terms == offer.terms:
        if holds.accepted_at is not None:
            offer.accepted_at = holds.accepted_at
            offer.accepted_in = holds.accepted_in or holds.attempt
            return True
        offer.acceptance_required = required
        return False
    asked = ReviewTask.objects.filter(
        application=application, attempt__lt=offer.attempt, kind=TaskKind.OFFER_ACCEPTANCE
    )
    differs = any(earlier.terms != offer.terms for earlier in _earlier(application))
    offer.acceptance_required = required or differs or (offer.attempt > 1 and asked.exists())
    return False


def _earlier(application: LoanApplication) -> QuerySet[LoanOffer]:
    """Select the offers of earlier attempts; without a query for the first attempt."""
    if application.attempt == 1:
        return LoanOffer.objects.none()
    return LoanOffer.objects.filter(application=application, attempt__lt=application.attempt)
