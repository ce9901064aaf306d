"""The problems that an operation may answer, with an example of each."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse

from applications.api.errors import LinkExpired
from applications.services.documents import WRONG_TYPE
from core import errors
from partners import errors as partner_errors
from partners.api import problems
from partners.api.examples import REFERENCE
from partners.api.idempotency import HEADER, KEY_SENTENCE
from partners.api.problems import MEDIA_TYPE, TITLES, TYPE_PREFIX
from partners.api.serializers import InvalidSerializer, ProblemSerializer
from reviews import errors as review_errors

PATH = f"{problems.PATH_PREFIX}applications/"
REQUEST_ID = "3f0c9f5e-6d0a-4f6c-9a38-0f4b6f3d2a11"


def _domain_titles() -> dict[str, str]:
    """Code to title of every refusal of the domain."""
    found: dict[str, str] = {}
    waiting = [errors.DomainError]
    while waiting:
        kind = waiting.pop()
        found.setdefault(kind.code, kind.title)
        waiting += kind.__subclasses__()
    return found


NO_BOUNDARY = "Invalid boundary in multipart: None"
NO_SUCH_REASON = "The catalogue has no such reason."
ALL_TITLES = {**_domain_titles(), **TITLES}
DETAILS = {
    "idempotency-key-in-flight": str(partner_errors.IdempotencyKeyInFlight()),
    "idempotency-key-invalid": f"{HEADER}: {KEY_SENTENCE}",
    "idempotency-key-reused": str(partner_errors.IdempotencyKeyReused(method="POST", path=PATH)),
    "invalid-application": "loan_amount: Enter an amount above zero.",
    "invalid-request": "status: Choose one of: draft, submitted.",
    "invalid-document": f"file: {WRONG_TYPE}",
    "link-expired": LinkExpired.default_detail,
    "malformed-multipart": f"The body is not multipart/form-data: {NO_BOUNDARY}",
    "malformed-json": "The body is not JSON: Expecting value at line 1, column 17.",
    "rate-limited": "Too many calls. Try again after 3 s.",
    "reason-required": f"A reason is required to decline {REFERENCE}.",
    "not-found": "There is no application with this reference.",
    "stale-version": f"{REFERENCE} is at version 2; you read version 1.",
    "stale-offer": str(review_errors.StaleOffer(reference=REFERENCE, current="OFFER-7Q2M9K4T-2")),
    "unknown-reason": f"{REFERENCE} cannot be declined for LATE: {NO_SUCH_REASON}",
}
FIELDS = {
    "idempotency-key-invalid": {HEADER: [KEY_SENTENCE]},
    "invalid-application": {"loan_amount": ["Enter an amount above zero."]},
    "invalid-request": {"status": ["Choose one of: draft, submitted."]},
    "invalid-document": {"file": [WRONG_TYPE]},
    "malformed-json": {},
    "malformed-multipart": {},
    "reason-required": {"reason": ["A reason is required to decline."]},
    "unknown-reason": {"reason_code": [NO_SUCH_REASON]},
}


def problem(status: int, *codes: str) -> dict[Any, OpenApiResponse]:
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
    **problem(401, "not-authenticated", "invalid-key"),
    **problem(406, "not-acceptable"),
    **problem(429, "rate-limited"),
    **problem(500, "internal-error"),
}
READING = {**ALWAYS, **problem(403, "missing-scope", "not-permitted")}
POSTING = {
    **problem(413, "body-too-large"),
    **problem(415, "unsupported-media-type"),
    **problem(422, "idempotency-key-reused"),
}
NOT_FOUND = problem(404, "not-found")


def invalid(*codes: str) -> dict[Any, OpenApiResponse]:
    """The 400 of a POST: these codes, and what any POST may be told."""
    return problem(400, *codes, "malformed-json", "idempotency-key-invalid")


def conflict(*codes: str) -> dict[Any, OpenApiResponse]:
    """The 409 of a POST: these codes, and what any POST may meet."""
    return problem(409, *codes, "try-again", "idempotency-key-in-flight")
