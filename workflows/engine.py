"""Client of the durable engine: the only module that calls ``boto3.client("lambda")``.

On AWS the engine is Lambda. Elsewhere ``AWS_ENDPOINT_URL_LAMBDA`` points at the embedded engine,
and this module does not distinguish the two.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError
from botocore.model import OperationModel
from django.conf import settings

from core.once import once
from workflows import errors

CLOSED = {"CallbackTimeoutException"}
MISSING = {"ResourceNotFoundException"}
TAKEN = {"DurableExecutionAlreadyStartedException"}
CONFLICT = {"ResourceConflictException"}
PASSING = {
    "TooManyRequestsException",
    "ThrottlingException",
    "ServiceException",
    "InternalServerException",
    "ResourceNotReadyException",
    "RequestTimeout",
}


CONNECTIONS = 25  # kept open and reused by the threads of one process
LARGEST_PAGE = 1000  # items; ListDurableExecutionsByFunction takes no more
CIRCUIT_OPEN = 5.0  # seconds that the circuit stays open after the endpoint was not reached

UNFINISHED = ("RUNNING", "PAUSING", "PAUSED")
UNPUBLISHED = "$LATEST"


class Listed(NamedTuple):
    """An entry of the engine's list of executions, without input and result."""

    arn: str
    name: str
    status: str
    version: str
    started_at: datetime
    ended_at: datetime | None


class Page(NamedTuple):
    """A page of the engine's list, and where the next one begins; empty: it was the last."""

    items: list[Listed]
    next_marker: str


class _Circuit:
    """The last time that the endpoint could not be reached, on ``time.monotonic``'s clock."""

    failed_at = -CIRCUIT_OPEN


_circuit = _Circuit()


@once  # boto3's default session is not thread-safe
def _client() -> Any:  # the durable operations are newer than the published stubs
    # Outbox and steps retry and count their attempts, so a call here is made once.
    config = Config(
        connect_timeout=3,
        read_timeout=15,
        retries={"total_max_attempts": 1},
        max_pool_connections=CONNECTIONS,
    )
    client = boto3.client("lambda", config=config)
    client.meta.events.register("before-parse.lambda", _refuse_cut_answer)
    return client


def _refuse_cut_answer(
    operation_model: OperationModel, response_dict: dict[str, Any], **_: Any
) -> None:
    """Raise for an answer that ended early, as when the engine is killed while it answers.

    botocore takes what arrived as all of it: a list without executions, a refusal without its
    code. A stream is checked by botocore when it is read.
    """
    headers, body = response_dict["headers"], response_dict["body"]
    length = headers.get("Content-Length")
    if length is None:  # cut in its headers, which say how long it is or that it comes in chunks
        is_whole = "Transfer-Encoding" in headers
    else:
        is_whole = not isinstance(body, bytes) or len(body) == int(length)
    if not is_whole:
        if not isinstance(body, bytes):
            body.close()
        raise ConnectionClosedError(endpoint_url=operation_model.name)


def prepare_client() -> None:
    """Make the client, once in each process, so that the next call takes as long as any other."""
    _client()


def forget_client() -> None:
    """Make a new client at the next call; for tests that move the endpoint."""
    _client.forget()
    circuit_close()


def circuit_close() -> None:
    """Call the endpoint again, however short ago it could not be reached; for tests."""
    _circuit.failed_at = -CIRCUIT_OPEN


def is_circuit_open() -> bool:
    """Return True for a few seconds after the endpoint could not be reached.

    A caller that can leave its call to the sweep checks this first: 500 decisions must not wait
    500 times for a connection that is not accepted.
    """
    return time.monotonic() - _circuit.failed_at < CIRCUIT_OPEN


@contextmanager
def _translated() -> Iterator[None]:
    """Translate botocore's errors into ``EngineError`` and its subclasses."""
    try:
        yield
    except ClientError as error:  # an answer, so the endpoint was reached
        _circuit.failed_at = -CIRCUIT_OPEN
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in CLOSED:
            raise errors.CallbackClosed(str(error)) from error
        if code in MISSING:
            raise errors.NotFound(str(error)) from error
        if code in TAKEN:
            raise errors.AlreadyStarted(str(error)) from error
        if code in CONFLICT:
            raise errors.EngineConflict(str(error)) from error
        if code in PASSING or status >= 500 or status == 429:
            raise errors.EngineUnavailable(str(error)) from error
        raise errors.EngineError(str(error)) from error
    except BotoCoreError as error:
        _circuit.failed_at = time.monotonic()
        raise errors.EngineUnavailable(str(error)) from error
    _circuit.failed_at = -CIRCUIT_OPEN


def _dump(payload: object) -> bytes:
    return json.dumps(payload, sort_keys=True).encode()


def start(*, function: str, name: str, payload: dict[str, Any]) -> str:
    """Start a durable execution; returns its ARN.

    The same name with the same payload gives the same execution, so a resend is
    harmless. Raises ``AlreadyStarted`` for another payload, ``EngineError``.
    """
    response = _invoke(
        FunctionName=function,
        InvocationType="Event",
        DurableExecutionName=name,
        Payload=_dump(payload),
    )
    return str(response.get("DurableExecutionArn", ""))


def invoke_event(*, function: str, payload: dict[str, Any]) -> None:
    """Invoke a plain function with an event and do not wait. Raises ``EngineError``."""
    _invoke(FunctionName=function, InvocationType="Event", Payload=_dump(payload))


def _invoke(**arguments: Any) -> dict[str, Any]:
    with _translated():
        response: dict[str, Any] = _client().invoke(**arguments)
        # The body is a stream; unread, it keeps the connection from being used again.
        response["Payload"].read()
    return response


def callback_success(*, callback_id: str, result: dict[str, Any]) -> None:
    """Send the answer of a callback. Raises ``CallbackClosed``, ``EngineError``."""
    with _translated():
        _client().send_durable_execution_callback_success(
            CallbackId=callback_id, Result=_dump(result)
        )


def callback_heartbeat(*, callback_id: str) -> None:
    """Restart the heartbeat timeout of a callback; the timeout of the callback itself stays.

    Raises ``CallbackClosed``, ``EngineError``.
    """
    with _translated():
        _client().send_durable_execution_callback_heartbeat(CallbackId=callback_id)


def stop(*, arn: str, error_type: str, message: str) -> None:
    """Stop an execution. Raises ``NotFound``, ``EngineError``."""
    with _translated():
        _client().stop_durable_execution(
            DurableExecutionArn=arn, Error={"ErrorType": error_type, "ErrorMessage": message}
        )


def pause(*, arn: str, token: str, reason: str) -> None:
    """Pause an execution and its execution timeout.

    The same ``token`` again changes nothing. Raises ``EngineConflict`` when it has ended or
    is paused already, ``NotFound``, ``EngineError``.
    """
    with _translated():
        _client().pause_durable_execution(
            DurableExecutionArn=arn, ClientToken=token, Reason=reason, ExecutionTimeoutPaused=True
        )


def resume(*, arn: str, token: str) -> None:
    """Resume a paused execution. Raises ``EngineConflict`` when it is not paused."""
    with _translated():
        _client().resume_durable_execution(DurableExecutionArn=arn, ClientToken=token)


def executions(
    *,
    statuses: Sequence[str] = (),
    started_after: datetime | None = None,
    name: str | None = None,
    oldest_first: bool = False,
    before_page: Callable[[], None] = lambda: None,
) -> Iterator[Listed]:
    """List executions of the loan approval, of every version, page by page. Raises ``EngineError``.

    Newest first unless asked otherwise. ``before_page`` is called before each request, to
    keep within the service's limits.
    """
    marker = ""
    while True:
        before_page()
        page = executions_page(
            statuses=statuses,
            started_after=started_after,
            name=name,
            oldest_first=oldest_first,
            marker=marker,
        )
        yield from page.items
        if not page.next_marker:
            return
        marker = page.next_marker


def executions_page(
    *,
    statuses: Sequence[str] = (),
    started_after: datetime | None = None,
    name: str | None = None,
    oldest_first: bool = False,
    marker: str = "",
    size: int = LARGEST_PAGE,
) -> Page:
    """Read one page of the list of executions, behind a marker. Raises ``EngineError``."""
    arguments: dict[str, Any] = {
        "FunctionName": settings.LOAN_APPROVAL_FUNCTION.partition(":")[0],
        "MaxItems": size,
    }
    if oldest_first:
        arguments["ReverseOrder"] = True
    if statuses:
        arguments["Statuses"] = list(statuses)
    if name is not None:
        arguments["DurableExecutionName"] = name
    if started_after is not None:
        arguments["StartedAfter"] = started_after
    if marker:
        arguments["Marker"] = marker
    with _translated():
        page = _client().list_durable_executions_by_function(**arguments)
    items = [
        Listed(
            arn=item["DurableExecutionArn"],
            name=item["DurableExecutionName"],
            status=item["Status"],
            version=_version_of(item["FunctionArn"]),
            started_at=item["StartTimestamp"],
            ended_at=item.get("EndTimestamp"),
        )
        for item in page["DurableExecutions"]
    ]
    return Page(items, page.get("NextMarker") or "")


def _version_of(function_arn: str) -> str:
    """Return the version in ``arn:aws:lambda:<region>:<account>:function:<name>:<version>``."""
    parts = function_arn.split(":")
    return parts[7] if len(parts) > 7 else UNPUBLISHED


def history(*, arn: str, before_page: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
    """Read the history of an execution, oldest first, as AWS's ``Event``; without its data.

    Limited to 15 requests a second by the service: for the reconciler and for one page on
    demand. Raises ``NotFound``, ``EngineError``.
    """
    found: list[dict[str, Any]] = []
    arguments: dict[str, Any] = {
        "DurableExecutionArn": arn,
        "IncludeExecutionData": False,
        "MaxItems": LARGEST_PAGE,
    }
    while True:
        before_page()
        with _translated():
            page = _client().get_durable_execution_history(**arguments)
        found += page["Events"]
        if not page.get("NextMarker"):
            return found
        arguments["Marker"] = page["NextMarker"]


def get(*, arn: str) -> dict[str, Any]:
    """Read an execution from the engine: ``Status``, ``Result``, ``Error``, times."""
    with _translated():
        return dict(_client().get_durable_execution(DurableExecutionArn=arn))


def ping() -> str:
    """Return when the engine would take a start of the loan approval. Raises ``EngineError``.

    The embedded engine takes none while its disk refuses writes. Returns the version that a start
    would run on, empty when the engine does not say.
    """
    answer = _invoke(FunctionName=settings.LOAN_APPROVAL_FUNCTION, InvocationType="DryRun")
    return str(answer.get("ExecutedVersion") or "")
