"""Errors of the callback endpoint, each a problem with a code of ``partners.api.problems``."""

from rest_framework import exceptions

from partners.api.errors import BodyTooLarge


class TooLarge(BodyTooLarge):
    default_detail = "The body is larger than 64 KB."


class NotSigned(exceptions.APIException):
    status_code = 401
    default_code = "signature-refused"
    auth_header = "Standard-Webhooks"


class IdentifierTaken(exceptions.APIException):
    status_code = 422
    default_code = "webhook-id-reused"
    default_detail = (
        "Another request came under this webhook-id, to another address or with another body. "
        "Nothing was done."
    )


class Contradiction(exceptions.APIException):
    status_code = 409
    default_code = "answer-contradicts"
    default_detail = "Another verdict was given before and stands. A person looks at both."


class Closed(exceptions.APIException):
    status_code = 410
    default_code = "callback-closed"
    default_detail = "Nobody waits for this any more. It was noted and not applied."


class EngineAway(exceptions.APIException):
    status_code = 503
    default_code = "try-later"
    default_detail = "The heartbeat could not be passed on just now. Send the next one."
