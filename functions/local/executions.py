"""Implement Lambda's API for durable executions: read, list, control, and answer callbacks."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from aws_durable_execution_sdk_python_testing.exceptions import (
    InvalidParameterValueException,
    ResourceNotFoundException,
)
from aws_durable_execution_sdk_python_testing.model import (
    CheckpointDurableExecutionRequest,
    GetDurableExecutionHistoryResponse,
)

from functions.local import limits
from functions.local.checkpoint_limits import check_error
from functions.local.database import Database
from functions.local.errors import conflict
from functions.local.execution_names import ExecutionNames
from functions.local.function import ACCOUNT, Function, parse_function_name
from functions.local.history import with_details
from functions.local.patched_executor import LocalExecutor
from functions.local.pauses import Pauses
from functions.local.responses import Request, Response, json_response
from functions.local.store import ListFilter, Summary, WriteThroughStore

PAGE_SIZE = 100
_STATUSES = frozenset(
    {"RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED", "PAUSING", "PAUSED", "DELETING"}
)


@dataclass(frozen=True)
class Executions:
    """One method for each API operation."""

    functions: Mapping[str, Function]
    executor: LocalExecutor
    store: WriteThroughStore
    names: ExecutionNames
    pauses: Pauses
    database: Database
    region: str

    def get(self, request: Request, arn: str) -> Response:
        """GetDurableExecution."""
        execution = self.executor.get_execution(arn)
        included = request.flag("IncludeExecutionData", default=True)
        body = self.executor.get_execution_details(arn).to_dict()
        body["Status"] = self.executor.shown_status(execution)
        body["ExecutionDataIncluded"] = included
        body["DurableConfig"] = {
            "ExecutionTimeout": execution.start_input.execution_timeout_seconds,
            "RetentionPeriodInDays": execution.start_input.execution_retention_period_days,
        }
        ends = self.executor.times_out_at(execution)
        if ends is not None and not execution.is_complete:
            body["ExpectedExecutionTimeoutTimestamp"] = ends
        pause = self.pauses.current(arn)
        if pause is not None and not execution.is_complete:
            body["PauseDetails"] = {
                "PauseRequestTimestamp": pause.paused_at,
                "ExecutionTimeoutPaused": pause.stops_clock,
            }
            if included and pause.reason is not None:
                body["PauseDetails"]["Reason"] = pause.reason
        if not included:
            for key in ("InputPayload", "Result", "Error"):
                body.pop(key, None)
        return json_response(200, body)

    def history(self, request: Request, arn: str) -> Response:
        """GetDurableExecutionHistory."""
        execution = self.executor.get_execution(arn)
        page = self.executor.get_execution_history(
            arn,
            include_execution_data=request.flag("IncludeExecutionData", default=True),
            reverse_order=request.flag("ReverseOrder", default=False),
            marker=request.parameter("Marker"),
            max_items=_page_size(request),
        )
        events = with_details(execution, page.events)
        completed = GetDurableExecutionHistoryResponse(events, page.next_marker)
        return json_response(200, completed.to_dict())

    def state(self, request: Request, arn: str) -> Response:
        """GetDurableExecutionState, for a handler that runs in another process."""
        page = self.executor.get_execution_state(
            arn,
            checkpoint_token=request.parameter("CheckpointToken"),
            marker=request.parameter("Marker") or None,
            max_items=_page_size(request),
        )
        return json_response(200, page.to_dict())

    def checkpoint(self, request: Request, arn: str) -> Response:
        """CheckpointDurableExecution, for a handler that runs in another process."""
        asked = CheckpointDurableExecutionRequest.from_dict(_json_object(request.body), arn)
        response = self.executor.checkpoint_execution(
            arn, asked.checkpoint_token, asked.updates, asked.client_token
        )
        return json_response(200, response.to_dict())

    def list_by_function(self, request: Request, function_name: str) -> Response:
        """ListDurableExecutionsByFunction, newest first; ``ReverseOrder`` is oldest first.

        A number as qualifier selects that version. Aliases are not stored, so an alias
        selects everything, as does no qualifier.
        """
        name = parse_function_name(function_name, request.parameter("Qualifier"))
        function = self.functions.get(name.name)
        if function is None:
            raise ResourceNotFoundException(f"Function not found: {name.arn(self.region)}")
        size = _page_size(request)
        summaries = self.store.page(
            ListFilter(
                function=name.name,
                name=request.parameter("DurableExecutionName"),
                version=name.qualifier if name.qualifier.isdigit() else None,
                statuses=_statuses(request.query.get("Statuses", [])),
                started_after=_moment(request.parameter("StartedAfter")),
                started_before=_moment(request.parameter("StartedBefore")),
                oldest_first=request.flag("ReverseOrder", default=False),
                after_item=_read_marker(request.parameter("Marker")),
            ),
            size + 1,
        )
        body: dict[str, Any] = {
            "DurableExecutions": [self._shown(summary) for summary in summaries[:size]]
        }
        if len(summaries) > size:
            body["NextMarker"] = _write_marker(summaries[size - 1])
        return json_response(200, body)

    def stop(self, request: Request, arn: str) -> Response:
        """StopDurableExecution; the body is the error itself."""
        response = self.executor.stop_execution(arn, _error(request.body))
        return json_response(200, response.to_dict())

    def pause(self, request: Request, arn: str) -> Response:
        """PauseDurableExecution."""
        asked = _json_object(request.body)
        _check_texts(asked, ClientToken=limits.CLIENT_TOKEN, Reason=limits.PAUSE_REASON)
        self.executor.pause(
            arn,
            token=asked.get("ClientToken"),
            reason=asked.get("Reason"),
            stops_clock=bool(asked.get("ExecutionTimeoutPaused", True)),
        )
        return json_response(202, {})

    def resume(self, request: Request, arn: str) -> Response:
        """ResumeDurableExecution."""
        asked = _json_object(request.body)
        _check_texts(asked, ClientToken=limits.CLIENT_TOKEN, Reason=limits.RESUME_REASON)
        self.executor.resume(arn, token=asked.get("ClientToken"))
        return json_response(202, {})

    def delete(self, request: Request, arn: str) -> Response:  # noqa: ARG002 - one shape for all
        """DeleteDurableExecution: delete an ended execution and free its name."""
        if not self.executor.get_execution(arn).is_complete:
            raise conflict("Only an execution that has ended can be deleted.")
        with self.database.transaction():
            self.names.forget(arn)
            self.pauses.forget(arn)
            self.store.delete(arn)
        return json_response(202, {"DeletionRequestTimestamp": datetime.now(UTC)})

    def callback(self, request: Request, callback_id: str, verb: str) -> Response:
        """SendDurableExecutionCallbackSuccess, Failure and Heartbeat."""
        match verb:
            case "succeed":
                limits.CALLBACK_RESULT.check_text(request.body, "result")
                self.executor.send_callback_success(callback_id, request.body)
            case "fail":
                self.executor.send_callback_failure(callback_id, _error(request.body))
            case _:
                self.executor.send_callback_heartbeat(callback_id)
        return json_response(200, {})

    def _shown(self, summary: Summary) -> dict[str, Any]:
        status = summary.status
        if status == "PAUSED":
            status = self.executor.shown_status(self.executor.get_execution(summary.arn))
        shown: dict[str, Any] = {
            "DurableExecutionArn": summary.arn,
            "DurableExecutionName": summary.name,
            "FunctionArn": (
                f"arn:aws:lambda:{self.region}:{ACCOUNT}:function:"
                f"{summary.function}:{summary.version}"
            ),
            "Status": status,
            "StartTimestamp": summary.started_at,
        }
        if summary.ended_at is not None:
            shown["EndTimestamp"] = summary.ended_at
        return shown


def _json_object(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        value = json.loads(body)
    except ValueError as error:
        raise InvalidParameterValueException(f"The body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidParameterValueException("The body is not a JSON object.")
    return value


def _error(body: bytes) -> ErrorObject | None:
    sent = _json_object(body)
    error = ErrorObject.from_dict(sent) if sent else None
    check_error(error)
    return error


def _check_texts(sent: Mapping[str, Any], **checks: limits.Limit) -> None:
    for name, limit in checks.items():
        value = sent.get(name)
        if value is not None:
            limit.check_text(str(value), name[0].lower() + name[1:])


def _page_size(request: Request) -> int:
    text = request.parameter("MaxItems") or "0"
    try:
        size = int(text)
    except ValueError as error:
        raise InvalidParameterValueException("MaxItems is not a number.") from error
    limits.PAGE_ITEMS.check_number(size, "maxItems")
    return size or PAGE_SIZE


def _statuses(asked: list[str]) -> list[str]:
    unknown = sorted(set(asked) - _STATUSES)
    if unknown:
        raise InvalidParameterValueException(f"Unknown statuses: {', '.join(unknown)}")
    # PAUSING is not stored apart from PAUSED: both words find all paused executions.
    return sorted({"PAUSED" if status == "PAUSING" else status for status in asked})


def _moment(text: str | None) -> float | None:
    """Unix seconds of an ISO 8601 time or a number."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidParameterValueException(f"Not a time: {text}") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _write_marker(last: Summary) -> str:
    return base64.urlsafe_b64encode(json.dumps([last.started_at, last.arn]).encode()).decode()


def _read_marker(marker: str | None) -> tuple[float, str] | None:
    if not marker:
        return None
    try:
        started_at, arn = json.loads(base64.urlsafe_b64decode(marker))
        return float(started_at), str(arn)
    except (ValueError, TypeError) as error:
        raise InvalidParameterValueException("Invalid marker") from error
