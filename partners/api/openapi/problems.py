"""Describe the problems that an operation may answer, with an example of each."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse

from core.errors import DomainError
from partners import errors
from partners.api import problems
from partners.api.examples import REFERENCE
from partners.api.idempotency import HEADER, KEY_SENTENCE
from partners.api.problems import MEDIA_TYPE, TITLES, TYPE_PREFIX
from partners.api.serializers import InvalidSerializer, ProblemSerializer

PATH = f"{problems.PATH_PREFIX}applications/"
REQUEST_ID = "3f0c9f5e-6d0a-4f6c-9a38-0f4b6f3d2a11"


def titles() -> dict[str, str]:
    """Return the title of every problem by its code: the domain's errors, and the API's own."""
    found: dict[str, str] = {}
    waiting = [DomainError]
    while waiting:
        kind = waiting.pop()
        found.setdefault(kind.code, kind.title)
        waiting += kind.__subclasses__()
    return found | TITLES


DETAILS = {
    "idempotency-key-in-flight": str(errors.IdempotencyKeyInFlight()),
    "idempotency-key-invalid": f"{HEADER}: {KEY_SENTENCE}",
    "idempotency-key-reused": str(errors.IdempotencyKeyReused(method="POST", path=PATH)),
    "invalid-request": "status: Choose one of: draft, submitted.",
    "malformed-json": "The body is not JSON: Expecting value at line 1, column 17.",
    "rate-limited": "Too many calls. Try again after 3 s.",
    "not-found": "There is no application with this reference.",
}
FIELDS: dict[str, dict[str, list[str]]] = {
    "idempotency-key-invalid": {HEADER: [KEY_SENTENCE]},
    "invalid-request": {"status": ["Choose one of: draft, submitted."]},
    "malformed-json": {},
}


def describe(code: str, detail: str, errors: dict[str, list[str]] | None = None) -> None:
    """Register the example of one problem, before ``problem`` names it; called by its app."""
    DETAILS[code] = detail
    if errors is not None:
        FIELDS[code] = errors


def problem(status: int, *codes: str) -> dict[Any, OpenApiResponse]:
    """Describe one status of an operation: its codes, with an example of each."""
    shape = InvalidSerializer if status == 400 else ProblemSerializer
    title = titles()
    return {
        (status, MEDIA_TYPE): OpenApiResponse(
            shape,
            description="; ".join(f"`{code}`: {title[code]}" for code in codes),
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
    title = titles()[code]
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
    """Describe the 400 of a POST: these codes, and those of every POST."""
    return problem(400, *codes, "malformed-json", "idempotency-key-invalid")


def conflict(*codes: str) -> dict[Any, OpenApiResponse]:
    """Describe the 409 of a POST: these codes, and those of every POST."""
    return problem(409, *codes, "try-again", "idempotency-key-in-flight")
