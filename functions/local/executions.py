"""Implement Lambda's API for durable executions: read, list, control, and answer callbacks."""

import base64
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from aws_durable_execution_sdk_python_testing.exceptions import InvalidParameterValueException
from aws_durable_execution_sdk_python_testing.model import CheckpointDurableExecutionRequest
from aws_durable_execution_sdk_python_testing.token import CheckpointToken

from functions.local.checkpoint_limits import check_error
from functions.local.database import Database
from functions.local.errors import conflict
from functions.local.execution_names import ExecutionNames
from functions.local.function import ACCOUNT, Function, find_function, parse_function_name
from functions.local.history import history_events, page_of
from functions.local.patched_executor import LocalExecutor
from functions.local.pauses import Pauses
from functions.local.request_model import Inputs, parsed_json
from functions.local.responses import Response, json_response
from functions.local.store import ListFilter, Summary, WriteThroughStore

PAGE_SIZE = 100
ARN = "DurableExecutionArn"


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

    def get(self, inputs: Inputs) -> Response:
        """GetDurableExecution."""
        arn = inputs[ARN]
        execution = self.executor.get_execution(arn)
        included = inputs.get("IncludeExecutionData", True)
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

    def history(self, inputs: Inputs) -> Response:
        """GetDurableExecutionHistory."""
        arn = inputs[ARN]
        execution = self.store.load(arn)
        whole = self.executor.get_execution_history(
            arn, include_execution_data=True, max_items=sys.maxsize
        )
        events = history_events(
            execution,
            whole.events,
            self.pauses.all(arn),
            with_data=inputs.get("IncludeExecutionData", True),
        )
        page = page_of(
            events,
            newest_first=inputs.get("ReverseOrder", False),
            marker=inputs.get("Marker"),
            size=_page_size(inputs),
            now=datetime.now(UTC),
        )
        return json_response(200, page)

    def state(self, inputs: Inputs) -> Response:
        """GetDurableExecutionState, for a handler that runs in another process."""
        self._check_token(inputs)
        page = self.executor.get_execution_state(
            inputs[ARN],
            checkpoint_token=inputs.get("CheckpointToken"),
            marker=inputs.get("Marker") or None,
            max_items=_page_size(inputs),
        )
        return json_response(200, page.to_dict())

    def checkpoint(self, inputs: Inputs) -> Response:
        """CheckpointDurableExecution, for a handler that runs in another process."""
        self._check_token(inputs)
        arn = inputs[ARN]
        asked = CheckpointDurableExecutionRequest.from_dict(dict(inputs), arn)
        response = self.executor.checkpoint_execution(
            arn, asked.checkpoint_token, asked.updates, asked.client_token
        )
        return json_response(200, response.to_dict())

    def list_by_function(self, inputs: Inputs) -> Response:
        """ListDurableExecutionsByFunction, newest first; ``ReverseOrder`` is oldest first.

        A qualifier selects the version that it stands for; none selects all versions.
        """
        name = parse_function_name(inputs["FunctionName"], self.region, inputs.get("Qualifier"))
        target = find_function(self.functions, name, self.region)
        size, oldest_first = _page_size(inputs), inputs.get("ReverseOrder", False)
        summaries = self.store.page(
            ListFilter(
                function=name.name,
                name=inputs.get("DurableExecutionName"),
                version=target.version if name.is_qualified else None,
                statuses=_statuses(inputs.get("Statuses", ())),
                started_after=inputs.get("StartedAfter"),
                started_before=inputs.get("StartedBefore"),
                oldest_first=oldest_first,
                after_item=_read_marker(inputs.get("Marker"), oldest_first=oldest_first),
            ),
            size + 1,
        )
        body: dict[str, Any] = {
            "DurableExecutions": [self._shown(summary) for summary in summaries[:size]]
        }
        if len(summaries) > size:
            body["NextMarker"] = _write_marker(summaries[size - 1], oldest_first=oldest_first)
        return json_response(200, body)

    def stop(self, inputs: Inputs) -> Response:
        """StopDurableExecution; the body is the error itself."""
        response = self.executor.stop_execution(inputs[ARN], _error(inputs))
        return json_response(200, response.to_dict())

    def pause(self, inputs: Inputs) -> Response:
        """PauseDurableExecution."""
        self.executor.pause(
            inputs[ARN],
            token=inputs.get("ClientToken"),
            reason=inputs.get("Reason"),
            stops_clock=inputs.get("ExecutionTimeoutPaused", True),
        )
        return json_response(202, {})

    def resume(self, inputs: Inputs) -> Response:
        """ResumeDurableExecution."""
        self.executor.resume(
            inputs[ARN], token=inputs.get("ClientToken"), reason=inputs.get("Reason")
        )
        return json_response(202, {})

    def delete(self, inputs: Inputs) -> Response:
        """DeleteDurableExecution: delete an ended execution and free its name."""
        arn = inputs[ARN]
        if not self.executor.get_execution(arn).is_complete:
            raise conflict("Only an execution that has ended can be deleted.")
        with self.database.transaction():
            self.names.forget(arn)
            self.pauses.forget(arn)
            self.store.delete(arn)
        return json_response(202, {"DeletionRequestTimestamp": datetime.now(UTC)})

    def callback_success(self, inputs: Inputs) -> Response:
        """SendDurableExecutionCallbackSuccess."""
        result = inputs["Result"]
        try:
            result.decode()
        except UnicodeDecodeError as error:
            raise InvalidParameterValueException(
                "The result of a callback could not be decoded as UTF-8."
            ) from error
        self.executor.send_callback_success(inputs["CallbackId"], result)
        return json_response(200, {})

    def callback_failure(self, inputs: Inputs) -> Response:
        """SendDurableExecutionCallbackFailure; the body is the error itself."""
        self.executor.send_callback_failure(inputs["CallbackId"], _error(inputs))
        return json_response(200, {})

    def callback_heartbeat(self, inputs: Inputs) -> Response:
        """SendDurableExecutionCallbackHeartbeat."""
        self.executor.send_callback_heartbeat(inputs["CallbackId"])
        return json_response(200, {})

    def _check_token(self, inputs: Inputs) -> None:
        """Raise for a token that is none, or of no execution, or of another one.

        AWS has no 404 for the operations of a running handler.
        """
        try:
            token = CheckpointToken.from_str(inputs["CheckpointToken"])
            is_known = self.store.exists(inputs[ARN])
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidParameterValueException("Invalid checkpoint token") from error
        if not is_known:
            raise InvalidParameterValueException("Invalid checkpoint token")
        if token.execution_arn != inputs[ARN]:
            raise InvalidParameterValueException(
                "Checkpoint token is not valid for the durable execution ARN"
            )

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


def _error(inputs: Inputs) -> ErrorObject | None:
    sent = inputs.get("Error")
    error = ErrorObject.from_dict(sent) if sent else None
    check_error(error)
    return error


def _page_size(inputs: Inputs) -> int:
    return inputs.get("MaxItems") or PAGE_SIZE


def _statuses(asked: Iterable[str]) -> list[str]:
    # PAUSING is not stored apart from PAUSED: both words find all paused executions.
    return sorted({"PAUSED" if status == "PAUSING" else status for status in asked})


def _write_marker(last: Summary, *, oldest_first: bool) -> str:
    mark = [oldest_first, last.started_at, last.arn]
    return base64.urlsafe_b64encode(json.dumps(mark).encode()).decode()


def _read_marker(marker: str | None, *, oldest_first: bool) -> tuple[float, str] | None:
    if not marker:
        return None
    refused = InvalidParameterValueException("Invalid Marker")
    try:
        direction, started_at, arn = parsed_json(base64.urlsafe_b64decode(marker))
        moment = float(started_at)
    except (ValueError, TypeError) as error:
        raise refused from error
    if direction is not oldest_first or not isinstance(arn, str):
        raise refused
    return moment, arn
