"""Errors of the API itself; those of the domain are in each app's ``errors``.

``default_code`` is the problem's code. Imports nothing but the framework's exceptions, so
that the classes which settings name can import it.
"""

from rest_framework import exceptions


class InvalidKey(exceptions.AuthenticationFailed):
    default_detail = "The key is not known, has expired or was revoked."
    default_code = "invalid-key"


class TooManyCalls(exceptions.APIException):
    """The rate limit is used up. ``retry_after``: seconds until one more call is allowed."""

    status_code = 429
    default_code = "rate-limited"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many calls. Try again after {retry_after} s.")
        self.headers = {"Retry-After": str(retry_after)}


class MissingScope(exceptions.PermissionDenied):
    default_code = "missing-scope"


class NotAllowedHere(exceptions.PermissionDenied):
    default_code = "not-permitted"


class SecondFactorNeeded(exceptions.PermissionDenied):
    default_detail = "Sign in to the back office and show your second factor first."
    default_code = "second-factor-needed"


class CsrfFailed(exceptions.PermissionDenied):
    default_code = "csrf-failed"


class Malformed(exceptions.ParseError):
    """The body cannot be read. ``errors`` names fields where one is to blame."""

    default_code = "malformed-json"

    def __init__(self, detail: str, errors: dict[str, list[str]] | None = None) -> None:
        super().__init__(detail)
        self.errors = errors or {}


class KeyNotValid(exceptions.APIException):
    """The ``Idempotency-Key`` header is invalid."""

    status_code = 400
    default_code = "idempotency-key-invalid"

    def __init__(self, header: str, sentence: str) -> None:
        super().__init__(f"{header}: {sentence}")
        self.errors = {header: [sentence]}


class BodyTooLarge(exceptions.APIException):
    status_code = 413
    default_detail = "The body is larger than 1 MB."
    default_code = "body-too-large"


class TryAgain(exceptions.APIException):
    """The database chose this write as the victim of a deadlock, twice. Nothing was written."""

    status_code = 409
    default_detail = "Somebody else changed this at the same moment. Nothing was done; try again."
    default_code = "try-again"
