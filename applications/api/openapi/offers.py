"""The operations on offers. Each name decorates the view's method of that meaning."""

from typing import Any

from drf_spectacular.utils import extend_schema

from applications.api.examples import DECLINED, FUNDED, SUBMITTED
from applications.api.offer_shapes import AcceptanceSerializer, RefusalSerializer
from applications.api.openapi.answers import NOT_FOUND, POSTING, READING, conflict, invalid
from applications.api.openapi.parameters import POST_HEADERS, request, response
from applications.api.serializers import ApplicationSerializer

OFFER_ID = str(FUNDED["offer"]["offer_id"])
ANSWERED = {
    **SUBMITTED,
    "status": "approved",
    "current_step": "offer_acceptance",
    "decision": FUNDED["decision"],
    "offer": FUNDED["offer"],
}
RESPONSES: dict[Any, Any] = {
    200: ApplicationSerializer,
    **READING,
    **POSTING,
    **NOT_FOUND,
    **invalid("invalid-request"),
    **conflict("nothing-to-decide", "already-decided", "decision-expired", "stale-offer"),
}

offer_accept = extend_schema(
    operation_id="acceptOffer",
    summary="Accept an offer",
    tags=["offers"],
    parameters=POST_HEADERS,
    request=AcceptanceSerializer,
    responses=RESPONSES,
    examples=[
        request("The offer that was read", {"offer_id": OFFER_ID}),
        response("Accepted, about to be paid out", ANSWERED),
        response("Accepted before, and paid out since", FUNDED),
    ],
)
offer_decline = extend_schema(
    operation_id="declineOffer",
    summary="Decline an offer",
    tags=["offers"],
    parameters=POST_HEADERS,
    request=RefusalSerializer,
    responses=RESPONSES,
    examples=[
        request("With a reason", {"offer_id": OFFER_ID, "reason": "Another lender asks for less."}),
        response("Declined, about to be closed", ANSWERED),
        response(
            "Declined before, and closed since",
            {
                **DECLINED,
                "current_step": "offer_acceptance",
                "offer": FUNDED["offer"],
                "decision": {
                    **FUNDED["decision"],
                    "outcome": "decline",
                    "reasons": [
                        {
                            "code": "OFFER_DECLINED",
                            "text": "The applicant declined the offer. Another lender asks for "
                            "less.",
                        }
                    ],
                },
            },
        ),
    ],
)
