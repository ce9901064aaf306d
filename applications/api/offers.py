"""The applicant's answer to an offer, as their partner says it."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from applications import selectors
from applications.api.authentication import partner_of
from applications.api.base import ApiView, body_of
from applications.api.offer_shapes import AcceptanceSerializer, RefusalSerializer
from applications.api.openapi import offers as operations
from applications.api.permissions import Access
from applications.api.serializers import ApplicationSerializer
from applications.models import Partner
from applications.services import offers
from applications.vocabulary import Outcome

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
        """Decline the offer: the case ends as declined. Doing it again changes nothing.

        Only where the lending policy asks the applicant. What comes after `offer.expires_at`
        is kept as late, and is not applied.
        """
        body = body_of(request, RefusalSerializer, required=False)
        return _answered(request, reference, Outcome.DECLINE, body)


def _answered(request: Request, reference: str, outcome: Outcome, body: dict[str, Any]) -> Response:
    partner = partner_of(request)
    if not isinstance(partner, Partner):
        raise TypeError("the caller is not a partner")
    selectors.case_get(reference=reference, partner=partner)
    offers.offer_answer(reference=reference, partner=partner, outcome=outcome, **body)
    case = selectors.case_get(reference=reference, partner=partner)
    return Response(ApplicationSerializer(case).data)
