"""Requests and responses of the engine: JSON bodies, Lambda's headers, errors for boto3."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aws_durable_execution_sdk_python_testing.exceptions import AwsApiException
from aws_durable_execution_sdk_python_testing.web.serialization import JSONSerializer

from functions.local.errors import SERVICE_EXCEPTION, ApiError, error_type

REQUEST_ID = "x-amzn-RequestId"

_JSON = JSONSerializer()


@dataclass(frozen=True)
class Request:
    """A request, read completely; header names are in lower case."""

    method: str
    segments: tuple[str, ...]
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    """A complete HTTP response."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_response(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Make a response with a JSON body; times become Unix seconds."""
    return Response(
        status, _JSON.to_bytes(body), {"Content-Type": "application/json", **(headers or {})}
    )


def error_response(error: Exception) -> Response:
    """Make an error response as AWS sends it.

    boto3 chooses its exception class by ``x-amzn-ErrorType``. Its shapes spell the message
    in two ways, so both are there.
    """
    if not isinstance(error, AwsApiException):
        error = ApiError(500, SERVICE_EXCEPTION, f"{type(error).__name__}: {error}")
    fault = "Service" if error.http_status_code >= 500 else "User"
    return json_response(
        error.http_status_code,
        {"Type": fault, "Message": str(error), "message": str(error)},
        {"x-amzn-ErrorType": error_type(error)},
    )


def request_id() -> str:
    """Make an id for a response that is no invocation's."""
    return str(uuid.uuid4())
