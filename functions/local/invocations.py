"""Implement Lambda's Invoke: durable and plain functions, synchronous or as events."""

import base64
import json
import logging
import threading
import time
import traceback
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace

from aws_durable_execution_sdk_python_testing.exceptions import InvalidParameterValueException
from aws_durable_execution_sdk_python_testing.model import StartDurableExecutionInput

from functions.local import limits
from functions.local.database import Database
from functions.local.errors import SERVICE_EXCEPTION, ApiError
from functions.local.events import EventQueue
from functions.local.execution_names import ExecutionNames, Reservation, fingerprint
from functions.local.function import (
    ACCOUNT,
    ClientContext,
    Function,
    FunctionName,
    LocalContext,
    Target,
    context_for,
    find_function,
    parse_function_name,
)
from functions.local.invoker import Activity
from functions.local.log_tail import LogTail, log_of
from functions.local.patched_executor import LocalExecutor
from functions.local.request_model import Inputs, parsed_json
from functions.local.responses import REQUEST_ID, Response, json_response
from functions.local.store import WriteThroughStore

LONGEST_SYNC_SECONDS = 900.0
UNHANDLED = {"X-Amz-Function-Error": "Unhandled"}

logger = logging.getLogger(__name__)


class Invocations:
    """Start executions and run plain functions."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        *,
        executor: LocalExecutor,
        store: WriteThroughStore,
        database: Database,
        names: ExecutionNames,
        events: EventQueue,
        activity: Activity,
        region: str,
        threads: int,
    ) -> None:
        self._functions = functions
        self._executor = executor
        self._store = store
        self._database = database
        self._names = names
        self._events = events
        self._activity = activity
        self._region = region
        self._starting = threading.Lock()
        # A synchronous plain function runs on its request's own thread. It must not
        # take one of the durable handlers' threads: these may be what waits for it.
        self._sync_slots = threading.BoundedSemaphore(threads)

    @staticmethod
    def body_limit(headers: Mapping[str, str]) -> int:
        """Return the largest payload Lambda accepts for this kind of invocation."""
        is_event = _invocation_type(headers) == "Event"
        return (limits.EVENT_PAYLOAD if is_event else limits.SYNC_PAYLOAD).most

    @staticmethod
    def too_large(headers: Mapping[str, str], length: int, limit: int) -> ApiError:
        """Make the error for a payload over the limit of this kind of invocation."""
        return ApiError(
            413,
            "RequestTooLargeException",
            f"{length} byte payload is too large for the {_invocation_type(headers)} invocation "
            f"type (limit {limit} bytes)",
        )

    def invoke(self, inputs: Inputs) -> Response:
        """Answer an Invoke request."""
        name = parse_function_name(inputs["FunctionName"], self._region, inputs.get("Qualifier"))
        target = find_function(self._functions, name, self._region)
        target.check_can_start()
        kind = inputs.get("InvocationType", "RequestResponse")
        if kind == "DryRun":
            self._database.check_writable()
            return Response(204)
        payload = _payload(inputs["Payload"])
        client_context = _client_context(inputs.get("ClientContext"))
        execution_name = inputs.get("DurableExecutionName")
        if target.function.durable:
            if kind == "RequestResponse":
                _check_can_wait(target.function)
            return self._invoke_durable(target, execution_name, payload, kind)
        if execution_name is not None:
            raise InvalidParameterValueException(
                f"{name.name} is not a durable function and takes no durable execution name."
            )
        if kind == "Event":
            request_id = self._events.put(name, payload)
            return Response(202, headers={**_version(target), REQUEST_ID: request_id})
        context = context_for(target, self._region, client_context=client_context)
        with ExitStack() as stack:
            is_asked = inputs.get("LogType") == "Tail"
            log = stack.enter_context(log_of(context)) if is_asked else None
            response = self._run_now(target, payload, context, log)
        headers = {**response.headers, REQUEST_ID: context.aws_request_id}
        if log is not None:
            headers["X-Amz-Log-Result"] = log.encoded()
        return replace(response, headers=headers)

    def start_reserved(self, reservation: Reservation, *, is_event: bool = True) -> None:
        """Create and invoke the execution of a reserved name."""
        function = self._functions.get(reservation.function.name)
        if function is None or not function.durable:
            logger.error(
                "%s was accepted, but %s is no durable function any more.",
                reservation.arn,
                reservation.function.name,
            )
            return
        self._executor.create(
            reservation.arn,
            StartDurableExecutionInput(
                account_id=ACCOUNT,
                function_name=reservation.function.name,
                function_qualifier=reservation.function.qualifier,
                execution_name=reservation.name,
                execution_timeout_seconds=function.execution_timeout_seconds,
                execution_retention_period_days=function.retention_days,
                # The SDK looks for the input under the last part of the ARN.
                invocation_id=reservation.arn.rpartition("/")[2],
                input=reservation.payload,
            ),
            is_event=is_event,
        )

    def _start(self, target: Target, execution_name: str | None, payload: str, kind: str) -> str:
        """Return the ARN of the one execution with this name, started if need be."""
        wanted = str(uuid.uuid4()) if execution_name is None else execution_name
        # One transaction: a start that fails has not even reserved its name.
        with self._starting, self._store.one_write():
            arn = target.execution_arn(self._region, wanted)
            # Its version, not its alias: it stays on the one that it starts on.
            function = FunctionName(target.name.name, target.version)
            reservation = self._names.reserve(function, wanted, arn, payload)
            is_another = reservation.function.name != target.name.name
            if is_another or reservation.fingerprint != fingerprint(payload):
                raise ApiError(
                    409,
                    "DurableExecutionAlreadyStartedException",
                    f"Execution already started: {reservation.arn}",
                )
            if reservation.payload and not self._store.exists(reservation.arn):
                self.start_reserved(reservation, is_event=kind == "Event")
        return reservation.arn

    def _invoke_durable(
        self, target: Target, execution_name: str | None, payload: str, kind: str
    ) -> Response:
        arn = self._start(target, execution_name, payload, kind)
        headers = {"X-Amz-Durable-Execution-Arn": arn, **_version(target)}
        if kind == "Event":
            return Response(202, headers=headers)
        if not self._executor.wait_until_ended(arn, LONGEST_SYNC_SECONDS):
            if self._executor.draining:
                raise ApiError(500, SERVICE_EXCEPTION, "The engine is stopping.")
            return _function_error(
                "Sandbox.Timedout", f"{arn} still runs after {LONGEST_SYNC_SECONDS:g} s", headers
            )
        details = self._executor.get_execution_details(arn)
        if details.status == "SUCCEEDED":
            return Response(200, (details.result or "null").encode(), {**_JSON, **headers})
        error = details.error
        return _function_error(
            (error.type if error else None) or details.status,
            (error.message if error else None) or details.status,
            headers,
            error.stack_trace if error else None,
        )

    def _run_now(
        self, target: Target, payload: str, context: LocalContext, log: LogTail | None
    ) -> Response:
        headers = _version(target)
        with self._sync_slots, self._activity.one():
            began = time.monotonic()
            try:
                output = json.dumps(target.handler(json.loads(payload), context)).encode()
            except (Exception, SystemExit) as error:
                kind, trace = type(error).__name__, traceback.format_tb(error.__traceback__)
                if log is not None:
                    log.add_error(kind, str(error), trace)
                logger.warning("%s raised.", target.name.identifier, exc_info=True)
                return _function_error(kind, str(error), headers, trace)
            logger.debug("%s took %.3f s.", target.name.identifier, time.monotonic() - began)
        if len(output) > limits.SYNC_PAYLOAD.most:
            return _function_error(
                "Function.ResponseSizeTooLarge",
                f"Response payload size ({len(output)} bytes) exceeded maximum allowed payload "
                f"size ({limits.SYNC_PAYLOAD.most} bytes).",
                headers,
            )
        return Response(200, output, {**_JSON, **headers})


_JSON = {"Content-Type": "application/json"}


def _invocation_type(headers: Mapping[str, str]) -> str:
    return headers.get("x-amz-invocation-type") or "RequestResponse"


def _check_can_wait(function: Function) -> None:
    if function.execution_timeout_seconds > limits.SYNC_EXECUTION_SECONDS.most:
        raise InvalidParameterValueException(
            "You cannot synchronously invoke a durable function with an executionTimeout greater "
            "than 15 minutes."
        )


def _payload(body: bytes) -> str:
    try:
        text = body.decode() or "{}"
        parsed_json(text)
    except ValueError as error:
        raise ApiError(
            400,
            "InvalidRequestContentException",
            f"Could not parse request body into json: {error}",
        ) from error
    return text


def _client_context(text: str | None) -> ClientContext | None:
    if text is None:
        return None
    try:
        sent = parsed_json(base64.b64decode(text, validate=True))
    except ValueError:
        sent = None
    if not isinstance(sent, dict) or len(text) > limits.CLIENT_CONTEXT.most:
        raise ApiError(
            400,
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.",
        )
    return ClientContext.from_dict(sent)


def _version(target: Target) -> dict[str, str]:
    return {"X-Amz-Executed-Version": target.version}


def _function_error(
    kind: str, message: str, headers: Mapping[str, str], stack_trace: list[str] | None = None
) -> Response:
    body: dict[str, object] = {"errorMessage": message, "errorType": kind}
    if stack_trace:
        body["stackTrace"] = stack_trace
    return json_response(200, body, {**UNHANDLED, **headers})
