"""OpenAPI descriptions of decisions and offers. Each name decorates one view method."""

from typing import Any

from drf_spectacular.utils import extend_schema

from applications.api.examples import APPROVED_BY_MANAGER, DECLINED, FUNDED, SUBMITTED
from applications.api.serializers import ApplicationSerializer
from partners.api.examples import REFERENCE
from partners.api.openapi import problems
from partners.api.openapi.parameters import POST_HEADERS, request, response
from reviews.api.serializers import AcceptanceSerializer, NewDecisionSerializer, RefusalSerializer
from reviews.errors import StaleOffer

NO_SUCH_REASON = "The catalogue has no such reason."
problems.describe(
    "reason-required",
    f"A reason is required to decline {REFERENCE}.",
    {"reason": ["A reason is required to decline."]},
)
problems.describe("stale-version", f"{REFERENCE} is at version 2; you read version 1.")
problems.describe("stale-offer", str(StaleOffer(reference=REFERENCE, current="OFFER-7Q2M9K4T-2")))
problems.describe(
    "unknown-reason",
    f"{REFERENCE} cannot be declined for LATE: {NO_SUCH_REASON}",
    {"reason_code": [NO_SUCH_REASON]},
)


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
    **problems.READING,
    **problems.POSTING,
    **problems.NOT_FOUND,
    **problems.invalid("invalid-request"),
    **problems.conflict("nothing-to-decide", "already-decided", "decision-expired", "stale-offer"),
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


application_decide = extend_schema(
    operation_id="decideApplication",
    summary="Decide an application",
    description="Decide an application's open review task: a manager's approval or a fraud review.",
    tags=["staff"],
    parameters=POST_HEADERS,
    request=NewDecisionSerializer,
    responses={
        200: ApplicationSerializer,
        **problems.ALWAYS,
        **problems.POSTING,
        **problems.NOT_FOUND,
        **problems.invalid("invalid-request", "reason-required", "unknown-reason"),
        **problems.problem(403, "not-permitted", "four-eyes", "above-ceiling", "csrf-failed"),
        **problems.conflict(
            "already-decided", "claimed", "stale-version", "nothing-to-decide", "decision-expired"
        ),
    },
    examples=[
        request("Approve", {"approved": True, "version": 1}),
        request("Decline", {"approved": False, "reason": "The income could not be verified."}),
        request(
            "Decline for a reason of the catalogue",
            {"approved": False, "reason_code": "INCOME_NOT_VERIFIED"},
        ),
        response("Approved by the manager", APPROVED_BY_MANAGER),
    ],
)
