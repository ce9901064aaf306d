"""Make the history of an execution as AWS shows it, from what the testing SDK makes of it.

Version 1.4.0 of the SDK drops the details of ``InvocationCompleted`` when it numbers the events,
leaves ``RetryDetails`` and results out of steps that end or are tried again, does not know pauses,
and shows errors and inputs even when no data were asked for. Pages are made here, because events
are added to its own.
"""

import base64
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    CallbackOptions,
    OperationAction,
    OperationType,
    OperationUpdate,
)
from aws_durable_execution_sdk_python_testing.exceptions import InvalidParameterValueException
from aws_durable_execution_sdk_python_testing.execution import Execution
from aws_durable_execution_sdk_python_testing.model import Event

from functions.local.local_execution import LocalExecution
from functions.local.pauses import Pause

# "Each pagination token expires after 24 hours."
MARKER_LIFE = timedelta(hours=24)
_STEP_ENDS = frozenset({OperationAction.RETRY, OperationAction.SUCCEED, OperationAction.FAIL})

type Shown = dict[str, Any]


def callback_options(execution: Execution, operation_id: str) -> CallbackOptions:
    """Return the timeouts a callback was created with; zero means none."""
    for update in execution.updates:
        if (
            update.operation_id == operation_id
            and update.action is OperationAction.START
            and update.callback_options
        ):
            return update.callback_options
    return CallbackOptions()


def history_events(
    execution: LocalExecution, events: Sequence[Event], pauses: Sequence[Pause], *, with_data: bool
) -> list[Shown]:
    """Return all events of an execution, oldest first, numbered from 1."""
    shown = [event.to_dict() for event in events]
    _complete_invocations(execution, shown)
    _complete_steps(execution, shown)
    _complete_starts(execution, shown)
    shown += _pause_events(execution, pauses)
    shown.sort(key=lambda event: event["EventTimestamp"])
    for number, event in enumerate(shown, start=1):
        event["EventId"] = number
        if not with_data:
            _leave_data_out(event)
    return shown


def page_of(
    events: Sequence[Shown], *, newest_first: bool, marker: str | None, size: int, now: datetime
) -> Shown:
    """Return one page of events, with the marker of the next one if there is one."""
    last = _read_marker(marker, newest_first=newest_first, now=now) if marker else None
    if newest_first:
        left = [each for each in reversed(events) if last is None or each["EventId"] < last]
    else:
        left = [each for each in events if last is None or each["EventId"] > last]
    page: Shown = {"Events": left[:size]}
    if len(left) > size:
        mark = [newest_first, left[size - 1]["EventId"], now.timestamp()]
        page["NextMarker"] = base64.urlsafe_b64encode(json.dumps(mark).encode()).decode()
    return page


def _read_marker(marker: str, *, newest_first: bool, now: datetime) -> int:
    try:
        direction, last, made = json.loads(base64.urlsafe_b64decode(marker))
        age = now - datetime.fromtimestamp(made, UTC)
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise InvalidParameterValueException("Invalid Marker") from error
    if direction is not newest_first or not isinstance(last, int) or age > MARKER_LIFE:
        raise InvalidParameterValueException("Invalid Marker")
    return last


def _given(**values: Any) -> Shown:
    return {name: value for name, value in values.items() if value is not None}


def _complete_invocations(execution: LocalExecution, shown: list[Shown]) -> None:
    completed = [event for event in shown if event["EventType"] == "InvocationCompleted"]
    known = sorted(execution.invocation_completions, key=lambda each: each.end_timestamp)
    for event, details in zip(completed, known, strict=True):
        event["InvocationCompletedDetails"] = details.to_dict()
        error = execution.invocation_errors.get(details.request_id)
        if error is not None:
            event["InvocationCompletedDetails"]["Error"] = {"Payload": error, "Truncated": False}


def _complete_steps(execution: LocalExecution, shown: list[Shown]) -> None:
    ends: dict[str, Iterator[tuple[int, OperationUpdate]]] = {}
    updates: dict[str, list[OperationUpdate]] = defaultdict(list)
    for update in execution.updates:
        if update.operation_type is OperationType.STEP and update.action in _STEP_ENDS:
            updates[update.operation_id].append(update)
    for operation_id, found in updates.items():
        ends[operation_id] = iter(enumerate(found, start=1))
    for event in shown:
        details = event.get("StepSucceededDetails", event.get("StepFailedDetails"))
        if details is None:
            continue
        attempt, update = next(ends[event["Id"]])
        details["RetryDetails"] = {"CurrentAttempt": attempt}
        if update.action is OperationAction.RETRY and update.step_options is not None:
            delay = update.step_options.next_attempt_delay_seconds
            details["RetryDetails"]["NextAttemptDelaySeconds"] = delay
        if "StepSucceededDetails" in event:
            details["Result"] = _given(Payload=update.payload) | {"Truncated": False}
        else:
            error = update.error.to_dict() if update.error else None
            details["Error"] = _given(Payload=error) | {"Truncated": False}


def _complete_starts(execution: LocalExecution, shown: list[Shown]) -> None:
    starts = {
        update.operation_id: update
        for update in execution.updates
        if update.action is OperationAction.START
    }
    for event in shown:
        start = starts.get(event.get("Id", ""))
        if start is None:
            continue
        if "CallbackStartedDetails" in event and start.callback_options is not None:
            event["CallbackStartedDetails"] |= _given(
                Timeout=start.callback_options.timeout_seconds or None,
                HeartbeatTimeout=start.callback_options.heartbeat_timeout_seconds or None,
            )
        if "ChainedInvokeStartedDetails" in event and start.chained_invoke_options is not None:
            event["ChainedInvokeStartedDetails"] |= _given(
                ExecutedVersion=execution.chained_versions.get(start.operation_id),
                TenantId=start.chained_invoke_options.tenant_id,
            )


def _pause_events(execution: LocalExecution, pauses: Sequence[Pause]) -> Iterator[Shown]:
    about = {
        "Id": execution.get_operation_execution_started().operation_id,
        "Name": execution.start_input.execution_name,
    }
    for pause in pauses:
        asked = datetime.fromtimestamp(pause.paused_at, UTC)
        details: Shown = {
            "PauseRequestTimestamp": asked,
            "ExecutionTimeoutPaused": pause.stops_clock,
        }
        if pause.reason is not None:
            details["Reason"] = {"Payload": pause.reason, "Truncated": False}
        kind = "ExecutionPaused"
        yield {"EventType": kind, "EventTimestamp": asked, **about, f"{kind}Details": details}
        if pause.resumed_at is None:
            continue
        asked = datetime.fromtimestamp(pause.resumed_at, UTC)
        details = {"ResumeRequestTimestamp": asked}
        if pause.resume_reason is not None:
            details["Reason"] = {"Payload": pause.resume_reason, "Truncated": False}
        kind = "ExecutionResumed"
        yield {"EventType": kind, "EventTimestamp": asked, **about, f"{kind}Details": details}


def _leave_data_out(event: Shown) -> None:
    """Take inputs, results, errors and reasons out of an event."""
    for details in event.values():
        if isinstance(details, dict):
            for name, value in details.items():
                if isinstance(value, dict) and "Truncated" in value:
                    details[name] = {"Truncated": True}
