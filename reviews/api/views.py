"""API views of staff decisions, and of applicants' answers to offers, sent by their partner."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from applications import selectors
from applications.api.serializers import ApplicationSerializer
from lending.choices import Outcome
from partners.api.authentication import partner_of, staff_of
from partners.api.base import ApiView, body_of
from partners.api.permissions import Access
from partners.models import Partner
from reviews import selectors as review_selectors
from reviews.api import openapi as operations
from reviews.api.permissions import DECIDE
from reviews.api.serializers import AcceptanceSerializer, NewDecisionSerializer, RefusalSerializer
from reviews.services import decisions, offer_answers

ANSWER = Access(scope="offers:write")


class OfferAcceptView(ApiView):
    access = {"POST": ANSWER}

    @operations.offer_accept
    def post(self, request: Request, reference: str) -> Response:
        """Accept the offer: the loan is paid out. Doing it again changes nothing.

        Only where the lending policy asks the applicant. Staff may have recorded the same
        answer before; then it stands. What comes after `offer.expires_at` is kept as late,
        and is not applied.
        """
        body = body_of(request, AcceptanceSerializer, required=False)
        return _answered(request, reference, Outcome.APPROVE, body)


class OfferDeclineView(ApiView):
    access = {"POST": ANSWER}

    @operations.offer_decline
    def post(self, request: Request, reference: str) -> Response:
        """Decline the offer: the application ends as declined. Doing it again changes nothing.

        Only where the lending policy asks the applicant. What comes after `offer.expires_at`
        is kept as late, and is not applied.
        """
        body = body_of(request, RefusalSerializer, required=False)
        return _answered(request, reference, Outcome.DECLINE, body)


def _answered(request: Request, reference: str, outcome: Outcome, body: dict[str, Any]) -> Response:
    partner = partner_of(request)
    if not isinstance(partner, Partner):
        raise TypeError("the caller is not a partner")
    selectors.application_get(reference=reference, partner=partner)
    offer_answers.offer_answer(reference=reference, partner=partner, outcome=outcome, **body)
    application = selectors.application_get(reference=reference, partner=partner)
    return Response(ApplicationSerializer(application).data)


class DecisionView(ApiView):
    access = {"POST": DECIDE}

    @operations.application_decide
    def post(self, request: Request, reference: str) -> Response:
        """Decide the open review task of an application."""
        body = body_of(request, NewDecisionSerializer)
        outcome = Outcome.APPROVE if body["approved"] else Outcome.DECLINE
        decisions.task_decide(
            task=review_selectors.task_to_decide(reference=reference),
            user=staff_of(request),
            outcome=outcome,
            reason=body.get("reason", ""),
            reason_code=body.get("reason_code", ""),
            version=body.get("version"),
        )
        application = selectors.application_get(reference=reference, partner=None)
        return Response(ApplicationSerializer(application).data)
