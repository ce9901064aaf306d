"""What the OpenAPI document says beyond the serializers: errors, headers, keys, examples.

Each name here decorates the view's method of the same meaning. The security of an
operation is read from the view's ``access``, which is also what is enforced.
"""

from typing import Any, cast

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from applications import errors
from applications.api import problems
from applications.api.examples import (
    APPROVED_BY_MANAGER,
    DECLINED,
    EVENTS,
    FUNDED,
    NEW,
    PENDING,
    REFERENCE,
    SUBMITTED,
    WITHDRAWN,
)
from applications.api.idempotency import HEADER, KEY_SENTENCE, LONGEST_KEY, REPLAYED_HEADER
from applications.api.permissions import Access, WithAccess
from applications.api.problems import MEDIA_TYPE, TITLES, TYPE_PREFIX
from applications.api.serializers import (
    ApplicationPageSerializer,
    ApplicationQuerySerializer,
    ApplicationSerializer,
    EmptySerializer,
    EventPageSerializer,
    InvalidSerializer,
    NewApplicationSerializer,
    NewDecisionSerializer,
    PageQuerySerializer,
    ProblemSerializer,
)

PATH = f"{problems.PATH_PREFIX}applications/"
REQUEST_ID = "3f0c9f5e-6d0a-4f6c-9a38-0f4b6f3d2a11"


# --- Who may call -------------------------------------------------------------------------


def _access(auto_schema: AutoSchema) -> Access:
    return cast("WithAccess", auto_schema.view).access[auto_schema.method]


class PartnerKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """A bearer key, with the scope that the operation asks for."""

    target_class = "applications.api.authentication.PartnerKeyAuthentication"
    name = "partnerKey"

    def get_security_requirement(self, auto_schema: AutoSchema) -> Any:
        scope = _access(auto_schema).scope
        return {self.name: [scope]} if scope else None

    def get_security_definition(self, auto_schema: AutoSchema) -> Any:  # noqa: ARG002
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A partner's key. Each operation names the scope that it needs.",
        }


class StaffSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The back office's session, and its CSRF token for anything but a read."""

    target_class = "applications.api.authentication.StaffSessionAuthentication"
    name = ["staffSession", "csrfToken"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> Any:
        if not _access(auto_schema).staff:
            return None
        return {name: [] for name in self.name[: 1 if auto_schema.method == "GET" else 2]}

    def get_security_definition(self, auto_schema: AutoSchema) -> Any:  # noqa: ARG002
        return [
            {
                "type": "apiKey",
                "in": "cookie",
                "name": settings.SESSION_COOKIE_NAME,
                "description": "A member of staff who is signed in to the back office.",
            },
            {
                "type": "apiKey",
                "in": "header",
                "name": "X-CSRFToken",
                "description": "The value of the CSRF cookie.",
            },
        ]


def refuse_unknown_fields(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Say of every request's shape that it takes no other fields, which is how they are read."""
    for name, shape in result["components"]["schemas"].items():
        if name.endswith("Request"):
            shape["additionalProperties"] = False
            shape.setdefault("type", "object")
    return result


# --- Errors -------------------------------------------------------------------------------


def _domain_titles() -> dict[str, str]:
    """Code to title of every refusal of the domain."""
    found: dict[str, str] = {}
    waiting = [errors.ApplicationsError]
    while waiting:
        kind = waiting.pop()
        found.setdefault(kind.code, kind.title)
        waiting += kind.__subclasses__()
    return found


NO_SUCH_REASON = "The catalogue has no such reason."
ALL_TITLES = {**_domain_titles(), **TITLES}
DETAILS = {
    "idempotency-key-in-flight": str(errors.IdempotencyKeyInFlight()),
    "idempotency-key-invalid": f"{HEADER}: {KEY_SENTENCE}",
    "idempotency-key-reused": str(errors.IdempotencyKeyReused(method="POST", path=PATH)),
    "invalid-application": "loan_amount: Enter an amount above zero.",
    "invalid-request": "status: Choose one of: draft, submitted.",
    "malformed-json": "The body is not JSON: Expecting value at line 1, column 17.",
    "reason-required": f"A reason is required to decline {REFERENCE}.",
    "not-found": "There is no application with this reference.",
    "stale-version": f"{REFERENCE} is at version 2; you read version 1.",
    "unknown-reason": f"{REFERENCE} cannot be declined for LATE: {NO_SUCH_REASON}",
}
FIELDS = {
    "idempotency-key-invalid": {HEADER: [KEY_SENTENCE]},
    "invalid-application": {"loan_amount": ["Enter an amount above zero."]},
    "invalid-request": {"status": ["Choose one of: draft, submitted."]},
    "malformed-json": {},
    "reason-required": {"reason": ["A reason is required to decline."]},
    "unknown-reason": {"reason_code": [NO_SUCH_REASON]},
}


def _problem(status: int, *codes: str) -> dict[Any, OpenApiResponse]:
    """One status of an operation: the codes that it may have, an example of each."""
    shape = InvalidSerializer if status == 400 else ProblemSerializer
    return {
        (status, MEDIA_TYPE): OpenApiResponse(
            shape,
            description="; ".join(f"`{code}`: {ALL_TITLES[code]}" for code in codes),
            examples=[
                OpenApiExample(
                    code,
                    value=_problem_example(status, code),
                    media_type=MEDIA_TYPE,
                    response_only=True,
                    status_codes=[str(status)],
                )
                for code in codes
            ],
        )
    }


def _problem_example(status: int, code: str) -> dict[str, Any]:
    title = ALL_TITLES[code]
    example: dict[str, Any] = {
        "type": f"{TYPE_PREFIX}{code}",
        "title": title,
        "status": status,
        "detail": DETAILS.get(code, f"{title}."),
        "instance": f"{PATH}{REFERENCE}/",
        "request_id": REQUEST_ID,
    }
    return {**example, "errors": FIELDS[code]} if status == 400 else example


ALWAYS = {
    **_problem(401, "not-authenticated", "invalid-key"),
    **_problem(406, "not-acceptable"),
    **_problem(500, "internal-error"),
}
READING = {**ALWAYS, **_problem(403, "missing-scope", "not-permitted")}
POSTING = {
    **_problem(413, "body-too-large"),
    **_problem(415, "unsupported-media-type"),
    **_problem(422, "idempotency-key-reused"),
}
NOT_FOUND = _problem(404, "not-found")


# --- Headers and examples -----------------------------------------------------------------

COMMON_HEADERS = [
    OpenApiParameter(
        "X-Request-Id",
        str,
        OpenApiParameter.HEADER,
        description="Up to 128 signs; one is made when it is absent.",
    ),
    OpenApiParameter(
        "X-Request-Id",
        str,
        OpenApiParameter.HEADER,
        response=True,
        description="What to quote when you ask us about this request.",
    ),
]
POST_HEADERS = [
    *COMMON_HEADERS,
    OpenApiParameter(
        HEADER,
        {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[ -~]+$"},
        OpenApiParameter.HEADER,
        description="Makes it safe to send this again: for 24 hours the same request under the "
        "same key is not done again but gets the answer it got. Only answers below 400 are kept.",
    ),
    OpenApiParameter(
        REPLAYED_HEADER,
        {"type": "string", "const": "true"},
        OpenApiParameter.HEADER,
        response=[200, 201],
        description="There when this is the answer of an earlier request under the key.",
    ),
]
LOCATION = OpenApiParameter(
    "Location",
    str,
    OpenApiParameter.HEADER,
    response=[201],
    description="The application's address.",
)
ETAG = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    response=[200, 304],
    description="Names this state of the application.",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="An ETag that you have; 304 when it is still the current one.",
)


def _invalid(*codes: str) -> dict[Any, OpenApiResponse]:
    """The 400 of a POST: these codes, and what any POST may be told."""
    return _problem(400, *codes, "malformed-json", "idempotency-key-invalid")


def _conflict(*codes: str) -> dict[Any, OpenApiResponse]:
    """The 409 of a POST: these codes, and what any POST may meet."""
    return _problem(409, *codes, "try-again", "idempotency-key-in-flight")


def _response(name: str, value: Any, status: int = 200) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[str(status)])


def _request(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def _page(results: list[Any]) -> dict[str, Any]:
    return {"results": results, "next": None, "previous": None}


# --- Operations ---------------------------------------------------------------------------

hidden = extend_schema(exclude=True)

applications_list = extend_schema(
    operation_id="listApplications",
    tags=["applications"],
    parameters=[ApplicationQuerySerializer, *COMMON_HEADERS],
    responses={200: ApplicationPageSerializer, **READING, **_problem(400, "invalid-request")},
    examples=[_response("One page", _page([PENDING]))],
)
application_submit = extend_schema(
    operation_id="submitApplication",
    tags=["applications"],
    parameters=[*POST_HEADERS, LOCATION],
    request=NewApplicationSerializer,
    responses={
        201: ApplicationSerializer,
        **READING,
        **POSTING,
        **_invalid("invalid-application"),
        **_conflict("no-policy"),
    },
    examples=[_request("A loan", NEW), _response("Submitted", SUBMITTED, 201)],
)
application_read = extend_schema(
    operation_id="readApplication",
    tags=["applications"],
    parameters=[*COMMON_HEADERS, IF_NONE_MATCH, ETAG],
    responses={
        200: ApplicationSerializer,
        304: OpenApiResponse(description="Your copy is the current one."),
        **READING,
        **NOT_FOUND,
    },
    examples=[
        _response("Waiting for a manager", PENDING),
        _response("Funded", FUNDED),
        _response("Declined", DECLINED),
    ],
)
events_list = extend_schema(
    operation_id="listEvents",
    tags=["applications"],
    parameters=[PageQuerySerializer, *COMMON_HEADERS],
    responses={
        200: EventPageSerializer,
        **READING,
        **NOT_FOUND,
        **_problem(400, "invalid-request"),
    },
    examples=[_response("One page", _page(EVENTS))],
)
application_withdraw = extend_schema(
    operation_id="withdrawApplication",
    tags=["applications"],
    parameters=POST_HEADERS,
    request=EmptySerializer,
    responses={
        200: ApplicationSerializer,
        **READING,
        **POSTING,
        **NOT_FOUND,
        **_invalid("invalid-request"),
        **_conflict("wrong-state"),
    },
    examples=[_response("Withdrawn", WITHDRAWN)],
)
application_decide = extend_schema(
    operation_id="decideApplication",
    tags=["staff"],
    parameters=POST_HEADERS,
    request=NewDecisionSerializer,
    responses={
        200: ApplicationSerializer,
        **ALWAYS,
        **POSTING,
        **NOT_FOUND,
        **_invalid("invalid-request", "reason-required", "unknown-reason"),
        **_problem(403, "not-permitted", "four-eyes", "above-ceiling", "csrf-failed"),
        **_conflict(
            "already-decided", "claimed", "stale-version", "nothing-to-decide", "decision-expired"
        ),
    },
    examples=[
        _request("Approve", {"approved": True, "version": 1}),
        _request("Decline", {"approved": False, "reason": "The income could not be verified."}),
        _request(
            "Decline for a reason of the catalogue",
            {"approved": False, "reason_code": "INCOME_NOT_VERIFIED"},
        ),
        _response("Approved by the manager", APPROVED_BY_MANAGER),
    ],
)
