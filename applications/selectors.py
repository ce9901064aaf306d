"""Read applications, their timelines and their documents.

``ApplicationView`` holds what a partner may read of an application: no SIN and no staff.
Every function takes ``partner``: only its own applications are found; with ``None``, for staff,
all are.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import FETCH_RAISE, Q, QuerySet

from applications.choices import DocumentKind
from applications.models import ApplicationEvent, Disbursement, Document, LoanApplication
from partners.models import Partner

SIMILAR_WITHIN = timedelta(days=30)


@dataclass(frozen=True)
class Waiting:
    """The party an application waits for, since when, and until when at most."""

    who: str
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True)
class Decision:
    """The decision on an application. Tier and score are ``None`` without a risk assessment."""

    outcome: str
    decided_at: datetime | None
    reasons: Sequence[dict[str, str]]  # {"code", "text"}
    risk_tier: str | None
    average_score: int | None
    policy_version: int | None


@dataclass(frozen=True)
class Offer:
    """The terms of the current attempt's offer: percent a year, months, amounts of money."""

    offer_id: str
    annual_rate: Decimal
    term_months: int
    monthly_payment: Decimal
    total_interest: Decimal
    expires_at: datetime


@dataclass(frozen=True)
class Payout:
    """A payout that was made: the rail's reference, the amount, the time."""

    reference: str
    amount: Decimal
    funded_at: datetime | None


@dataclass(frozen=True)
class ApplicationView:
    """One application, with everything that its partner may read."""

    reference: str
    status: str
    current_step: str | None
    applicant_name: str
    loan_amount: Decimal
    currency: str
    external_id: str
    submitted_at: datetime | None
    version: int
    waiting_on: Waiting | None
    decision: Decision | None
    offer: Offer | None
    disbursement: Payout | None


def applications_visible(*, partner: Partner | None) -> QuerySet[LoanApplication]:
    """Return the applications that this partner, or staff, may read."""
    rows = LoanApplication.objects.all()
    return rows if partner is None else rows.filter(partner=partner)


def applications(
    *,
    partner: Partner | None,
    status: str | None = None,
    submitted_after: datetime | None = None,
    submitted_before: datetime | None = None,
    reference: str | None = None,
    external_id: str | None = None,
) -> QuerySet[LoanApplication]:
    """Return rows for ``application_view``: three queries for any number of rows, none lazy.

    ``submitted_after`` and ``submitted_before`` exclude the moment itself.
    """
    rows = applications_visible(partner=partner)
    wanted = {
        "status": status,
        "submitted_at__gt": submitted_after,
        "submitted_at__lt": submitted_before,
        "reference": reference,
        "external_id": external_id,
    }
    return (
        rows.filter(**{name: value for name, value in wanted.items() if value is not None})
        .select_related("policy", "disbursement")
        .prefetch_related("offers", "risk_assessments")
        .fetch_mode(FETCH_RAISE)
    )


def similar_applications(
    applications: Collection[LoanApplication],
) -> dict[int, list[LoanApplication]]:
    """Find for each the others with the same name and last SIN digits within 30 days, newest first.

    Keyed by primary key, without those that have none. One query. They may be the same question
    asked twice, or two people; a person has to look.
    """
    named = [row for row in applications if row.applicant_search]
    if not named:
        return {}
    others: defaultdict[tuple[str, str], list[LoanApplication]] = defaultdict(list)
    for row in (
        LoanApplication.objects.filter(
            applicant_search__in={row.applicant_search for row in named},
            sin_last4__in={row.sin_last4 for row in named},
            created_at__gte=min(row.created_at for row in named) - SIMILAR_WITHIN,
            created_at__lte=max(row.created_at for row in named) + SIMILAR_WITHIN,
        )
        .select_related("partner")
        .order_by("-created_at", "-pk")
    ):
        others[row.applicant_search, row.sin_last4].append(row)
    found = {
        row.pk: [
            other
            for other in others[row.applicant_search, row.sin_last4]
            if other.pk != row.pk and abs(other.created_at - row.created_at) <= SIMILAR_WITHIN
        ]
        for row in named
    }
    return {pk: rows for pk, rows in found.items() if rows}


def earlier_and_later_applications(
    application: LoanApplication, *, besides: Collection[LoanApplication], most: int
) -> list[LoanApplication]:
    """Return other applications with the same name and last SIN digits, however old, newest first.

    Without ``besides``, those that are shown as similar already; at most ``most``.
    """
    if not application.applicant_search:
        return []
    same = LoanApplication.objects.filter(
        applicant_search=application.applicant_search, sin_last4=application.sin_last4
    )
    shown = [application.pk, *(row.pk for row in besides)]
    return list(
        same.exclude(pk__in=shown).select_related("partner").order_by("-created_at", "-pk")[:most]
    )


def application_get(*, reference: str, partner: Partner | None) -> ApplicationView:
    """Return one application. Raises ``LoanApplication.DoesNotExist``, also for other partners'."""
    return application_view(applications(partner=partner).get(reference=reference))


def application_view(application: LoanApplication) -> ApplicationView:
    """Convert a row, loaded with its related rows, to a value."""
    return ApplicationView(
        reference=application.reference,
        status=application.status,
        current_step=application.current_step or None,
        applicant_name=application.applicant_name,
        loan_amount=application.loan_amount,
        currency=application.currency,
        external_id=application.external_id,
        submitted_at=application.submitted_at,
        version=application.version,
        waiting_on=_waiting(application),
        decision=_decision(application),
        offer=_offer(application),
        disbursement=_payout(application),
    )


def events(*, reference: str, partner: Partner | None) -> QuerySet[ApplicationEvent]:
    """Return the timeline entries; internal ones only for staff.

    Entries of one application are written under its lock, so ``id`` is their order in time, also
    across pages. Raises ``LoanApplication.DoesNotExist``.
    """
    application = applications_visible(partner=partner).only("id").get(reference=reference)
    rows = ApplicationEvent.objects.filter(application=application)
    if partner is not None:
        rows = rows.filter(is_internal=False)
    return rows.only("id", "at", "step", "level", "message").fetch_mode(FETCH_RAISE)


def documents(*, reference: str, partner: Partner | None) -> QuerySet[Document]:
    """Return the documents of an application; for a partner only its own and our letters.

    Raises ``LoanApplication.DoesNotExist``.
    """
    application = applications_visible(partner=partner).only("id").get(reference=reference)
    rows = Document.objects.filter(application=application)
    if partner is not None:
        rows = rows.filter(Q(partner=partner) | Q(kind=DocumentKind.OFFER_LETTER))
    return rows.fetch_mode(FETCH_RAISE)


def _waiting(application: LoanApplication) -> Waiting | None:
    if not application.waiting_on:
        return None
    return Waiting(
        who=application.waiting_on,
        since=application.waiting_since,
        until=application.waiting_until,
    )


def _decision(application: LoanApplication) -> Decision | None:
    if not application.outcome:
        return None
    assessment = next(
        (row for row in application.risk_assessments.all() if row.attempt == application.attempt),
        None,
    )
    return Decision(
        outcome=application.outcome,
        decided_at=application.decided_at,
        reasons=[
            {"code": reason["code"], "text": reason["text"]}
            for reason in application.decision_reasons
        ],
        risk_tier=assessment.tier if assessment else None,
        average_score=assessment.average_score if assessment else None,
        policy_version=application.policy.version if application.policy else None,
    )


def _offer(application: LoanApplication) -> Offer | None:
    offers = (row for row in application.offers.all() if row.attempt == application.attempt)
    offer = next(offers, None)
    if offer is None:
        return None
    return Offer(
        offer_id=offer.offer_id,
        annual_rate=offer.annual_rate,
        term_months=offer.term_months,
        monthly_payment=offer.monthly_payment,
        total_interest=offer.total_interest,
        expires_at=offer.expires_at,
    )


def _payout(application: LoanApplication) -> Payout | None:
    ledger: Disbursement | None = getattr(application, "disbursement", None)
    if ledger is None or ledger.status != Disbursement.Status.PAID:
        return None
    return Payout(reference=ledger.rail_reference, amount=ledger.amount, funded_at=ledger.funded_at)
