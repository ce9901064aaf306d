"""RFC 9457 problems: the one form of every error of the API and of callbacks.

``{"type", "title", "status", "detail", "instance", "request_id"}`` and, on 400, ``errors``
(field -> list of sentences, perhaps empty). ``type`` is ``/problems/<code>``, a name that
never changes its meaning; ``instance`` is the path of the request. The codes are those
of each app's ``errors`` and the ones below.
"""

import logging
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import (
    BadRequest,
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.encoding import escape_uri_path
from django.views import defaults
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import set_rollback

from audit.tracing import request_id
from core.errors import DomainError
from partners.api.errors import BodyTooLarge

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "/problems/"
PATH_PREFIX = "/api/v1/"
# The caller here is a program as well: an outside service that answers.
PREFIXES = (PATH_PREFIX, "/callbacks/")


TITLES = {
    "invalid-request": "The request is not valid",
    "malformed-json": "The body cannot be read",
    "malformed-multipart": "The upload cannot be read",
    "not-authenticated": "Authentication is required",
    "invalid-key": "The key is not valid",
    "not-permitted": "You may not do this",
    "missing-scope": "The key lacks a scope",
    "second-factor-needed": "The session has not shown a second factor",
    "csrf-failed": "The CSRF token is missing or wrong",
    "not-found": "Not found",
    "method-not-allowed": "The method is not allowed here",
    "not-acceptable": "This API answers in JSON",
    "unsupported-media-type": "This address does not read that media type",
    "body-too-large": "The body is too large",
    "link-expired": "The link has expired",
    "idempotency-key-invalid": "The idempotency key is not valid",
    "rate-limited": "Too many requests",
    "try-again": "Try again",
    "try-later": "Try again in a moment",
    "signature-refused": "The signature is not accepted",
    "webhook-id-reused": "Another request came under this webhook-id",
    "answer-contradicts": "Another answer was given before",
    "callback-closed": "Nobody waits for this answer any more",
    "internal-error": "Something went wrong on our side",
}
# The framework's own refusals; ours are in the classes above. First match wins.
CODES: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.ValidationError, "invalid-request"),
    (exceptions.ParseError, "malformed-json"),
    (exceptions.NotAuthenticated, "not-authenticated"),
    (exceptions.AuthenticationFailed, "invalid-key"),
    (exceptions.PermissionDenied, "not-permitted"),
    (exceptions.NotFound, "not-found"),
    (exceptions.MethodNotAllowed, "method-not-allowed"),
    (exceptions.NotAcceptable, "not-acceptable"),
    (exceptions.UnsupportedMediaType, "unsupported-media-type"),
)
# Neither the framework's nor the domain's: code, status, detail. First match wins.
OTHERS: dict[type[Exception], tuple[str, int, str]] = {
    Http404: ("not-found", 404, "There is nothing at this address."),
    PermissionDenied: ("not-permitted", 403, "You may not do this."),
    RequestDataTooBig: ("body-too-large", 413, BodyTooLarge.default_detail),
    SuspiciousOperation: ("invalid-request", 400, "The request cannot be read."),
    BadRequest: ("invalid-request", 400, "The request cannot be read."),
}


def register_not_found(kind: type[ObjectDoesNotExist], detail: str) -> None:
    """Answer 404 with this detail where a view raises ``kind``, a model's ``DoesNotExist``."""
    OTHERS[kind] = ("not-found", 404, detail)


@dataclass(frozen=True)
class Problem:
    """One problem before it is written out."""

    code: str
    title: str
    status: int
    detail: str
    errors: dict[str, list[str]] | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def body(self, path: str) -> dict[str, Any]:
        content: dict[str, Any] = {
            "type": f"{TYPE_PREFIX}{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": escape_uri_path(path),
            "request_id": request_id.get(),
        }
        if self.status == 400:
            content["errors"] = self.errors or {}
        return content


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """Turn an exception of a view into a problem; an unexpected one is logged and a bare 500."""
    request: Request = context["request"]
    problem = problem_of(error, to_staff=isinstance(request.user, User))
    if problem is None:
        logger.error("Unhandled error in the API", exc_info=error)
        problem = _problem("internal-error", 500, "It was logged under the request_id.")
    set_rollback()
    return Response(
        problem.body(request.path),
        status=problem.status,
        headers=problem.headers,
        content_type=MEDIA_TYPE,
    )


def problem_of(error: Exception, *, to_staff: bool = False) -> Problem | None:
    """Map ``error`` to a problem; ``None`` for an unexpected error.

    Only staff see which member of staff was first.
    """
    if isinstance(error, DomainError):
        return Problem(
            code=error.code,
            title=error.title,
            status=error.http_status,
            detail=str(error) if to_staff else error.for_partners(),
            errors=getattr(error, "errors", None),
        )
    if isinstance(error, exceptions.APIException):
        return _of_framework(error)
    return next(
        (_problem(*parts) for kind, parts in OTHERS.items() if isinstance(error, kind)), None
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that was refused before it reached a view (``handler400``)."""
    if not request.path_info.startswith(PREFIXES):
        return defaults.bad_request(request, exception)
    return _as_response(request, _problem(*OTHERS[BadRequest]))


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer an error outside of a view, which Django has logged (``handler500``)."""
    if not request.path_info.startswith(PREFIXES):
        return defaults.server_error(request)
    return _as_response(
        request, _problem("internal-error", 500, "It was logged under the request_id.")
    )


def _as_response(request: HttpRequest, problem: Problem) -> HttpResponse:
    return JsonResponse(problem.body(request.path), status=problem.status, content_type=MEDIA_TYPE)


def _problem(code: str, status: int, detail: str) -> Problem:
    return Problem(code=code, title=TITLES[code], status=status, detail=detail)


def _of_framework(error: exceptions.APIException) -> Problem | None:
    code = error.default_code
    if code not in TITLES:
        code = next((code for kind, code in CODES if isinstance(error, kind)), "")
    if not code:
        return None
    errors: dict[str, list[str]] | None = getattr(error, "errors", None)
    detail = str(error.detail)
    if isinstance(error, exceptions.ValidationError):
        errors = flat(error.detail)
        detail = "; ".join(f"{name}: {' '.join(sentences)}" for name, sentences in errors.items())
    elif code == "not-authenticated":
        detail = "Send a partner's key: Authorization: Bearer <key>."
    headers: dict[str, str] = dict(getattr(error, "headers", {}))
    if auth_header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    return Problem(
        code=code,
        title=TITLES[code],
        status=error.status_code,
        detail=detail,
        errors=errors,
        headers=headers,
    )


def flat(detail: Any, name: str | None = None) -> dict[str, list[str]]:
    """Flatten nested errors to field -> sentences; a nested field is ``outer.inner``."""
    if isinstance(detail, dict):
        found: dict[str, list[str]] = {}
        for inner, value in detail.items():
            found |= flat(value, str(inner) if name is None else f"{name}.{inner}")
        return found
    sentences = detail if isinstance(detail, list) else [detail]
    return {"body" if name is None else name: [str(sentence) for sentence in sentences]}
