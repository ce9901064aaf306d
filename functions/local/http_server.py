"""Serve HTTP on 127.0.0.1: read and check a request, find its operation, send the response.

The paths are Lambda's. ``GET /health`` is outside of them and shows the supervisor that
recovery is done.
"""

import logging
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from aws_durable_execution_sdk_python_testing.exceptions import (
    AwsApiException,
    InvalidParameterValueException,
)

from functions.local.credentials import Credentials
from functions.local.errors import ApiError
from functions.local.executions import Executions
from functions.local.invocations import Invocations
from functions.local.request_checks import check_content_type, check_sender, check_signature
from functions.local.request_model import Inputs, operations_read
from functions.local.responses import REQUEST_ID, Request, Response, error_response, request_id

LOOPBACK = "127.0.0.1"
INVOKE_API = "2015-03-31"
HEALTH = ("health",)
# For all operations but Invoke. A payload of 6 MB, escaped as JSON, fits.
BODY_LIMIT = 10 * 1024 * 1024
# A body over the limit is read and discarded, so that its sender sees the response.
LARGEST_DISCARDED = 64 * 1024 * 1024

logger = logging.getLogger(__name__)


class HttpServer(ThreadingHTTPServer):
    """HTTP server with one thread for each open request."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(
        self,
        port: int,
        *,
        invocations: Invocations,
        executions: Executions,
        health: Callable[[], Response],
        credentials: Credentials | None,
    ) -> None:
        self.invocations = invocations
        self.executions = executions
        self.health = health
        self.credentials = credentials
        served: dict[str, Callable[[Inputs], Response]] = {
            "Invoke": invocations.invoke,
            "ListDurableExecutionsByFunction": executions.list_by_function,
            "GetDurableExecution": executions.get,
            "GetDurableExecutionHistory": executions.history,
            "GetDurableExecutionState": executions.state,
            "CheckpointDurableExecution": executions.checkpoint,
            "StopDurableExecution": executions.stop,
            "PauseDurableExecution": executions.pause,
            "ResumeDurableExecution": executions.resume,
            "DeleteDurableExecution": executions.delete,
            "SendDurableExecutionCallbackSuccess": executions.callback_success,
            "SendDurableExecutionCallbackFailure": executions.callback_failure,
            "SendDurableExecutionCallbackHeartbeat": executions.callback_heartbeat,
        }
        self.operations = dict(zip(operations_read(served), served.values(), strict=True))
        super().__init__((LOOPBACK, port), RequestHandler)

    def answer(self, request: Request) -> Response:
        """Run the operation of a request; errors become error responses."""
        try:
            return self._operation(request)
        except AwsApiException as error:
            if error.http_status_code >= 500:
                logger.exception("%s /%s failed.", request.method, "/".join(request.segments))
            return error_response(error)
        except Exception as error:
            logger.exception("%s /%s failed.", request.method, "/".join(request.segments))
            return error_response(error)

    def _operation(self, request: Request) -> Response:
        if (request.method, *request.segments) == ("GET", *HEALTH):
            return self.health()
        for operation, answer in self.operations.items():
            path = operation.match(request.method, request.segments)
            if path is not None:
                return answer(operation.read(path, request.query, request.headers, request.body))
        raise ApiError(404, "UnknownOperationException", "Unknown operation.")


class RequestHandler(BaseHTTPRequestHandler):
    """Read one request and close the connection, so that no thread waits for a next one."""

    server: HttpServer
    # Seconds a client may take to send its request.
    timeout = 30

    def do_GET(self) -> None:
        """Handle GET."""
        self._handle()

    def do_POST(self) -> None:
        """Handle POST."""
        self._handle()

    def do_DELETE(self) -> None:
        """Handle DELETE."""
        self._handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Log requests for debugging only, and not on stderr."""
        logger.debug(format, *args)

    def _handle(self) -> None:
        url = urlsplit(self.path)
        # Split first: a slash inside a value arrives as %2F.
        segments = tuple(unquote(part) for part in url.path.strip("/").split("/"))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            check_sender(headers)
            check_content_type(headers)
            body = self._read_body(segments, headers)
            if segments != HEALTH:
                self._check_signature(headers, body)
        except AwsApiException as error:
            self._send(error_response(error))
            return
        request = Request(
            method=self.command,
            segments=segments,
            query=parse_qs(url.query, keep_blank_values=True),
            headers=headers,
            body=body,
        )
        self._send(self.server.answer(request))

    def _check_signature(self, headers: Mapping[str, str], body: bytes) -> None:
        if self.server.credentials is not None:
            check_signature(
                method=self.command,
                target=self.path,
                headers=headers,
                body=body,
                credentials=self.server.credentials,
            )

    def _read_body(self, segments: tuple[str, ...], headers: Mapping[str, str]) -> bytes:
        """Return the whole body.

        Raises for a request that ended before it was complete, as when its client is killed:
        an operation on half a request would start an execution without its payload, or answer
        a callback with half an answer. A POST always says how long its body is, so one that
        does not was cut in its headers.
        """
        text = headers.get("content-length") or ("" if self.command == "POST" else "0")
        if not text:
            raise ApiError(411, "LengthRequiredException", "Content-Length is missing.")
        if not text.isdigit():
            raise InvalidParameterValueException("Content-Length is not a number.")
        length = int(text)
        limit = (
            self.server.invocations.body_limit(headers) if segments[0] == INVOKE_API else BODY_LIMIT
        )
        if length <= limit:
            body = self.rfile.read(length)
            if len(body) < length:
                sentence = f"The request ended after {len(body)} of {length} bytes of its body."
                raise ApiError(400, "InvalidRequestContentException", sentence)
            return body
        left = min(length, LARGEST_DISCARDED)
        while left > 0:
            chunk = self.rfile.read(min(left, 1 << 16))
            if not chunk:
                break
            left -= len(chunk)
        if segments[0] == INVOKE_API:
            raise self.server.invocations.too_large(headers, length, limit)
        raise ApiError(
            413,
            "RequestTooLargeException",
            f"{length} byte payload is too large: the limit is {limit} bytes.",
        )

    def _send(self, response: Response) -> None:
        try:
            self.send_response(response.status)
            for name, value in {REQUEST_ID: request_id(), **response.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)
        except (BrokenPipeError, ConnectionResetError):
            logger.info("The client disconnected before its response: %s", self.path)
