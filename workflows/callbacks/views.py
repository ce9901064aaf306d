"""Views for an outside service that answers a callback: signed, and without a session.

A request to an unknown URL gets 404, signed or not; one to a known URL without a valid
signature gets 401. A recorded answer gets 202, and the engine gets it through the outbox,
whether it can be reached at the moment or not.
"""

import hashlib
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from django.http import Http404
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.http import parse_header_parameters
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from partners.api.idempotency import retry_on_conflict
from partners.api.negotiation import OneForm
from partners.api.parsers import decode, raw_body
from workflows.callbacks import errors, fraud_vendor
from workflows.callbacks.fraud_vendor import IdentifierReused, Signed, Verdict
from workflows.callbacks.serializers import ANSWER, HEARTBEAT, validated_body
from workflows.callbacks.signatures import SignatureRefused, verify
from workflows.callbacks.tokens import named_by, vendor_secrets
from workflows.errors import EngineError
from workflows.models import CallbackRequest

logger = logging.getLogger(__name__)

LIMIT = 64 * 1024  # bytes of a body
RETRY_AFTER = "5"  # seconds


class CallbackView(APIView):
    """``POST /callbacks/{token}/``."""

    authentication_classes = []  # the signature authenticates
    permission_classes = []
    content_negotiation_class = OneForm
    schema = None  # not part of the partner API
    http_method_names = ["post"]

    def post(self, request: Request, token: str) -> Response:
        body = _body(request)
        signed = _signed(request, token, body)
        _check_media_type(request)
        content = validated_body(decode(body))
        try:
            outcome = retry_on_conflict(_take(signed, content))
        except IdentifierReused as error:
            raise errors.IdentifierTaken from error
        except EngineError as error:
            logger.warning("Heartbeat not passed on", extra={"why": str(error)})
            raise errors.EngineAway from error
        logger.info("Vendor answered", extra={"type": content["type"], "outcome": outcome.value})
        if outcome == CallbackRequest.Outcome.CONTRADICTED:
            raise errors.Contradiction
        if outcome != CallbackRequest.Outcome.ACCEPTED:
            raise errors.Closed
        return Response({"status": "accepted"}, status=202)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        patch_cache_control(response, no_store=True)
        if response.status_code == errors.EngineAway.status_code:
            response["Retry-After"] = RETRY_AFTER
        return response


def _body(request: Request) -> bytes:
    """Return the bytes of the body, as they were signed. Raises ``TooLarge``, ``Malformed``."""
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if declared.isdecimal() and int(declared) > LIMIT:
        raise errors.TooLarge
    body = raw_body(request)
    if len(body) > LIMIT:
        raise errors.TooLarge
    return body


def _signed(request: Request, token: str, body: bytes) -> Signed:
    """Verify a request. Raises ``Http404`` for an unknown URL, ``NotSigned``.

    Token and signature are both checked whatever the result of the other, so that the response
    time does not show which one was wrong.
    """
    secrets = vendor_secrets()
    named = named_by(token)
    refused: SignatureRefused | None = None
    identifier = ""
    try:
        identifier = verify(secrets, headers=request.headers, body=body, now=timezone.now())
    except SignatureRefused as error:
        refused = error
    if named is None or not secrets:
        raise Http404
    if refused is not None:
        raise errors.NotSigned(str(refused)) from refused
    return Signed(to=named, identifier=identifier, digest=hashlib.sha256(body).hexdigest())


def _check_media_type(request: Request) -> None:
    media_type, parameters = parse_header_parameters(request.content_type or "")
    charset = parameters.get("charset", "utf-8").lower()
    if media_type != "application/json" or charset not in {"utf-8", "utf8"}:
        raise UnsupportedMediaType(request.content_type or "", "Send application/json in UTF-8.")


def _take(signed: Signed, content: dict[str, Any]) -> Callable[[], CallbackRequest.Outcome]:
    if content["type"] == ANSWER:
        verdict = Verdict(
            verdict=content["verdict"],
            score=content.get("score"),
            reasons=tuple(content.get("reasons", ())),
        )
        return partial(fraud_vendor.answer_take, signed=signed, verdict=verdict)
    if content["type"] == HEARTBEAT:
        return partial(fraud_vendor.heartbeat_take, signed=signed)
    return partial(fraud_vendor.failure_take, signed=signed, message=content["message"])
