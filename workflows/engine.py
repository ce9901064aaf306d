"""The durable engine: the only module that calls ``boto3.client("lambda")``.

On AWS that is AWS. Elsewhere ``AWS_ENDPOINT_URL_LAMBDA`` points at the embedded engine,
and nothing here knows the difference.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from workflows.errors import (
    AlreadyStarted,
    CallbackClosed,
    EngineError,
    EngineUnavailable,
    NotFound,
)

CLOSED = {"CallbackTimeoutException"}
MISSING = {"ResourceNotFoundException"}
TAKEN = {"DurableExecutionAlreadyStartedException"}
PASSING = {
    "TooManyRequestsException",
    "ThrottlingException",
    "ServiceException",
    "InternalServerException",
    "ResourceConflictException",
    "ResourceNotReadyException",
    "RequestTimeout",
}


@cache
def _client() -> Any:  # the durable operations are newer than the published stubs
    # Outbox and steps retry, and remember that they do: a call here is made once.
    config = Config(connect_timeout=3, read_timeout=15, retries={"total_max_attempts": 1})
    return boto3.client("lambda", config=config)


def forget_client() -> None:
    """Make a new client at the next call; for tests that move the endpoint."""
    _client.cache_clear()


@contextmanager
def _translated() -> Iterator[None]:
    """botocore's errors as ours."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in CLOSED:
            raise CallbackClosed(str(error)) from error
        if code in MISSING:
            raise NotFound(str(error)) from error
        if code in TAKEN:
            raise AlreadyStarted(str(error)) from error
        if code in PASSING or status >= 500 or status == 429:
            raise EngineUnavailable(str(error)) from error
        raise EngineError(str(error)) from error
    except BotoCoreError as error:
        raise EngineUnavailable(str(error)) from error


def _dump(payload: object) -> bytes:
    return json.dumps(payload, sort_keys=True).encode()


def start(*, function: str, name: str, payload: dict[str, Any]) -> str:
    """Start a durable execution; returns its ARN.

    The same name with the same payload gives the same execution, so a resend is
    harmless. Raises ``AlreadyStarted`` for another payload, ``EngineError``.
    """
    with _translated():
        response = _client().invoke(
            FunctionName=function,
            InvocationType="Event",
            DurableExecutionName=name,
            Payload=_dump(payload),
        )
    return str(response.get("DurableExecutionArn", ""))


def invoke_event(*, function: str, payload: dict[str, Any]) -> None:
    """Hand an event to a plain function and do not wait. Raises ``EngineError``."""
    with _translated():
        _client().invoke(FunctionName=function, InvocationType="Event", Payload=_dump(payload))


def callback_success(*, callback_id: str, result: dict[str, Any]) -> None:
    """Give a waiting execution its answer. Raises ``CallbackClosed``, ``EngineError``."""
    with _translated():
        _client().send_durable_execution_callback_success(
            CallbackId=callback_id, Result=_dump(result)
        )


def stop(*, arn: str, error_type: str, message: str) -> None:
    """End an execution from outside. Raises ``NotFound``, ``EngineError``."""
    with _translated():
        _client().stop_durable_execution(
            DurableExecutionArn=arn, Error={"ErrorType": error_type, "ErrorMessage": message}
        )


def get(*, arn: str) -> dict[str, Any]:
    """What the engine knows of an execution: ``Status``, ``Result``, ``Error``, times."""
    with _translated():
        return dict(_client().get_durable_execution(DurableExecutionArn=arn))


def ping() -> None:
    """Return when the engine answers for the loan approval function. Raises ``EngineError``."""
    with _translated():
        _client().list_durable_executions_by_function(
            FunctionName=settings.LOAN_APPROVAL_FUNCTION.partition(":")[0], MaxItems=1
        )


def executions(*, function: str) -> Iterator[dict[str, Any]]:
    """Every execution of a function, newest first, ended ones too. Raises ``EngineError``.

    Each has ``DurableExecutionArn``, ``DurableExecutionName`` and ``Status``.
    """
    marker: dict[str, str] = {}
    while True:
        with _translated():
            page = _client().list_durable_executions_by_function(
                FunctionName=function.partition(":")[0], MaxItems=1000, **marker
            )
        yield from page["DurableExecutions"]
        if not page.get("NextMarker"):
            return
        marker = {"Marker": page["NextMarker"]}
