"""Complete history events with the details that the testing SDK omits.

Version 1.4.0 drops the details of ``InvocationCompleted`` when it numbers the events and
does not pass the callback's options to ``CallbackStarted``.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from aws_durable_execution_sdk_python.lambda_service import CallbackOptions, OperationAction
from aws_durable_execution_sdk_python_testing.execution import Execution
from aws_durable_execution_sdk_python_testing.model import (
    Event,
    EventType,
    InvocationCompletedDetails,
)


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


def with_details(execution: Execution, events: list[Event]) -> list[Event]:
    """Return the same events, completed."""
    completions = {done.end_timestamp: done for done in execution.invocation_completions}
    return [_completed(execution, event, completions) for event in events]


def _completed(
    execution: Execution, event: Event, completions: Mapping[datetime, InvocationCompletedDetails]
) -> Event:
    if event.event_type == EventType.INVOCATION_COMPLETED.value:
        return replace(event, invocation_completed_details=completions.get(event.event_timestamp))
    if event.callback_started_details is not None and event.operation_id is not None:
        options = callback_options(execution, event.operation_id)
        return replace(
            event,
            callback_started_details=replace(
                event.callback_started_details,
                timeout=options.timeout_seconds or None,
                heartbeat_timeout=options.heartbeat_timeout_seconds or None,
            ),
        )
    return event
