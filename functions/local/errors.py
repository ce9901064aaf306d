"""Errors of the engine: those it returns to a caller, and those that keep it from running.

``ApiError`` covers the errors that the testing SDK has no class for; ``error_type`` names
any of them as AWS does, for the ``x-amzn-ErrorType`` header.
"""

from collections.abc import Sequence
from typing import Any

from aws_durable_execution_sdk_python_testing.exceptions import (
    AwsApiException,
    ExecutionConflictException,
    IllegalArgumentException,
    IllegalStateException,
    InvalidParameterValueException,
    ResourceNotFoundException,
    RuntimeException,
    TooManyRequestsException,
)

SERVICE_EXCEPTION = "ServiceException"

_TYPE_OF: dict[type[AwsApiException], str] = {
    InvalidParameterValueException: "InvalidParameterValueException",
    IllegalArgumentException: "InvalidParameterValueException",
    ResourceNotFoundException: "ResourceNotFoundException",
    ExecutionConflictException: "ResourceConflictException",
    TooManyRequestsException: "TooManyRequestsException",
    IllegalStateException: SERVICE_EXCEPTION,
    RuntimeException: SERVICE_EXCEPTION,
}


class EngineError(Exception):
    """The engine cannot run; the message is one sentence for the person who started it."""


class CheckpointLostError(Exception):
    """A checkpoint of an invocation was not written; the invocation is repeated, uncounted."""


class RuntimeExitedError(Exception):
    """A handler called ``sys.exit``; Lambda's runtime would have ended, and be started again."""


class EngineStoppingError(Exception):
    """An invocation was due while the engine stops; the next engine begins it."""


class ApiError(AwsApiException):
    """An error response with a status and one of AWS's error types."""

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(message)
        self.http_status_code = status
        self.error_type = error_type

    def to_dict(self) -> dict[str, Any]:
        """Return the body as the testing SDK's own handlers would send it."""
        return {"Type": self.error_type, "Message": str(self)}


class StorageError(ApiError):
    """SQLite refused to read or write; nothing was changed, and the caller may try again."""

    def __init__(self, reason: str) -> None:
        super().__init__(500, SERVICE_EXCEPTION, f"The engine cannot use its file: {reason}.")
        self.reason = reason


def broken_constraint(value: object, member: str, rule: str, *, sensitive: bool = False) -> str:
    """Say as AWS does which constraint a value breaks; it does not repeat a sensitive value."""
    shown = "Value null" if value is None else f"Value '{value!s}'"
    return (
        f"{'Value' if sensitive else shown} at '{member}' failed to satisfy constraint: "
        f"Member must {rule}"
    )


def validation_error(broken: Sequence[str]) -> ApiError:
    """Make the error for a request that breaks constraints of AWS's description of the API."""
    plural = "" if len(broken) == 1 else "s"
    return ApiError(
        400,
        "ValidationException",
        f"{len(broken)} validation error{plural} detected: {'; '.join(broken)}",
    )


def callback_closed() -> ApiError:
    """Make the error for a callback that is answered, expired, or of an ended execution."""
    return ApiError(
        400,
        "CallbackTimeoutException",
        "The callback ID token has either expired or the callback associated with the "
        "token has already been closed.",
    )


def conflict(message: str) -> ApiError:
    """Make the error for an execution whose state does not allow the operation."""
    return ApiError(409, "ResourceConflictException", message)


def error_type(error: AwsApiException) -> str:
    """Return AWS's name for an error."""
    if isinstance(error, ApiError):
        return error.error_type
    return _TYPE_OF.get(type(error), SERVICE_EXCEPTION)
