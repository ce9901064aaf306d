"""Views for an outside service that answers a callback: signed, and without a session.

Who does not know an address of ours finds nothing here, signed or not; who knows one and
cannot sign is refused. What is written down is answered with 202, and the engine hears of it
through the outbox, whether it is up just now or not.
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
from workflows.callbacks import fraud_vendor
from workflows.callbacks.errors import (
    Closed,
    Contradiction,
    EngineAway,
    IdentifierTaken,
    NotSigned,
    TooLarge,
)
from workflows.callbacks.fraud_vendor import IdentifierReused, Signed, Verdict
from workflows.callbacks.serializers import ANSWER, HEARTBEAT, said_in
from workflows.callbacks.signatures import SignatureRefused, verify
from workflows.callbacks.tokens import named_by, vendor_secrets
from workflows.errors import EngineError
from workflows.models import CallbackRequest

logger = logging.getLogger(__name__)

LIMIT = 64 * 1024  # bytes of a body
RETRY_AFTER = "5"  # seconds


class CallbackView(APIView):
    """``POST /callbacks/{token}/``."""

    authentication_classes = []  # the signature is what counts
    permission_classes = []
    content_negotiation_class = OneForm
    schema = None  # no part of the partner API
    http_method_names = ["post"]

    def post(self, request: Request, token: str) -> Response:
        body = _body(request)
        signed = _signed(request, token, body)
        _check_media_type(request)
        said = said_in(decode(body))
        try:
            outcome = retry_on_conflict(_take(signed, said))
        except IdentifierReused as error:
            raise IdentifierTaken from error
        except EngineError as error:
            logger.warning("Heartbeat not passed on", extra={"why": str(error)})
            raise EngineAway from error
        logger.info("Vendor heard", extra={"type": said["type"], "outcome": outcome.value})
        if outcome == CallbackRequest.Outcome.CONTRADICTED:
            raise Contradiction
        if outcome != CallbackRequest.Outcome.ACCEPTED:
            raise Closed
        return Response({"status": "accepted"}, status=202)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        patch_cache_control(response, no_store=True)
        if response.status_code == EngineAway.status_code:
            response["Retry-After"] = RETRY_AFTER
        return response


def _body(request: Request) -> bytes:
    """The body's bytes, as they were signed. Raises ``TooLarge``, ``Malformed``."""
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if declared.isdecimal() and int(declared) > LIMIT:
        raise TooLarge
    body = raw_body(request)
    if len(body) > LIMIT:
        raise TooLarge
    return body


def _signed(request: Request, token: str, body: bytes) -> Signed:
    """Whose request this is. Raises ``Http404`` for an unknown address, ``NotSigned``.

    Both questions are asked whatever the other's answer, so that time tells nothing.
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
        raise NotSigned(str(refused)) from refused
    return Signed(to=named, identifier=identifier, digest=hashlib.sha256(body).hexdigest())


def _check_media_type(request: Request) -> None:
    media_type, parameters = parse_header_parameters(request.content_type or "")
    charset = parameters.get("charset", "utf-8").lower()
    if media_type != "application/json" or charset not in {"utf-8", "utf8"}:
        raise UnsupportedMediaType(request.content_type or "", "Send application/json in UTF-8.")


def _take(signed: Signed, said: dict[str, Any]) -> Callable[[], CallbackRequest.Outcome]:
    if said["type"] == ANSWER:
        verdict = Verdict(
            verdict=said["verdict"],
            score=said.get("score"),
            reasons=tuple(said.get("reasons", ())),
        )
        return partial(fraud_vendor.answer_take, signed=signed, verdict=verdict)
    if said["type"] == HEARTBEAT:
        return partial(fraud_vendor.heartbeat_take, signed=signed)
    return partial(fraud_vendor.failure_take, signed=signed, message=said["message"])
