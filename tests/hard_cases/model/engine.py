"""An engine that is all memory: what Lambda keeps, what it answers, whom it invokes.

``answer`` is its side of the wire. Nothing happens in it by itself: the model says which
execution is invoked next, which timer goes off and what is stopped from outside.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from aws_durable_execution_sdk_python import StepError
from django.utils import timezone

from functions import loan_approval
from tests.hard_cases.loopback import Reply
from tests.hard_cases.model.durable import Callback, Context, DurableExecution, Suspended

REGION = "arn:aws:lambda:ca-central-1:000000000000"
VERBS = ("start", "event", "answer", "stop", "pause", "resume", "look")


def error(status: int, kind: str) -> Reply:
    return status, {"x-amzn-ErrorType": kind}, {"Message": kind}


class Engine:
    """``mood`` of a verb: ``down`` does nothing, ``deaf`` does it and the answer is lost."""

    def __init__(self) -> None:
        self.executions: dict[str, DurableExecution] = {}
        self.lost: list[DurableExecution] = []
        self.events: list[dict[str, Any]] = []  # for the fraud check, never forgotten
        self.mood: dict[str, str] = {}
        self.surprises: list[Exception] = []

    # --- The wire -------------------------------------------------------------------------

    def answer(self, method: str, path: str, headers: Any, body: Any) -> Reply:
        """Status, headers and body of the answer to one request."""
        url = urlsplit(path)
        parts = [unquote(part) for part in url.path.strip("/").split("/")][1:]
        query = parse_qs(url.query)
        verb, reply = self._operation(method, parts, query, headers, body)
        mood = self.mood.get(verb)
        if mood == "down":
            return error(503, "ServiceException")
        answered = reply()
        return error(500, "ServiceException") if mood == "deaf" else answered

    def _operation(
        self, method: str, parts: list[str], query: dict[str, list[str]], headers: Any, body: Any
    ) -> tuple[str, Callable[[], Reply]]:
        found: tuple[str, Callable[[], Reply]]
        match (method, *parts):
            case ("POST", "functions", name, "invocations") if name.startswith("fraud-check"):
                found = "event", lambda: self._event(body)
            case ("POST", "functions", _, "invocations"):
                execution = headers["X-Amz-Durable-Execution-Name"]
                found = "start", lambda: self._start(execution, body)
            case ("POST", "durable-execution-callbacks", callback_id, "succeed"):
                found = "answer", lambda: self._succeed(callback_id, body)
            case ("POST", "durable-executions", arn, "stop"):
                found = "stop", lambda: self._with(arn, lambda it: self._stopped(it, body))
            case ("POST", "durable-executions", arn, ("pause" | "resume") as verb):
                paused = verb == "pause"
                found = verb, lambda: self._with(arn, lambda it: self._hold(it, paused=paused))
            case ("GET", "durable-executions", arn):
                found = "look", lambda: self._with(arn, self._shown)
            case ("GET", "durable-executions", arn, "history"):
                found = "look", lambda: self._with(arn, self._history)
            case ("GET", "functions", _, "durable-executions"):
                found = "look", lambda: self._list(query)
            case _:
                raise AssertionError(f"nothing answers {method} {parts}")
        return found

    def _event(self, payload: dict[str, Any]) -> Reply:
        self.events.append(payload)
        return 202, {}, {}

    def _start(self, name: str, payload: dict[str, Any]) -> Reply:
        known = self.executions.get(name)
        if known is None:
            arn = f"{REGION}:function:loan-approval:1/durable-execution/{name}/1"
            known = DurableExecution(name, arn, payload, started_at=timezone.now())
            self.executions[name] = known
        if known.payload != payload:
            return error(409, "DurableExecutionAlreadyStartedException")
        return 202, {"X-Amz-Durable-Execution-Arn": known.arn}, {}

    def _succeed(self, callback_id: str, answer: dict[str, Any]) -> Reply:
        for execution in self.executions.values():
            for callback in execution.callbacks.values():
                if callback.id == callback_id:
                    if callback.status != "open" or execution.status != "RUNNING":
                        return error(400, "CallbackTimeoutException")
                    callback.status, callback.answer = "succeeded", json.dumps(answer)
                    return 200, {}, {}
        return error(404, "ResourceNotFoundException")

    def _with(self, arn: str, do: Callable[[DurableExecution], Reply]) -> Reply:
        found = next((item for item in self.executions.values() if item.arn == arn), None)
        return error(404, "ResourceNotFoundException") if found is None else do(found)

    def _stopped(self, execution: DurableExecution, why: dict[str, str]) -> Reply:
        self.end(execution, "STOPPED", failure=why)
        return 200, {}, {"StopTimestamp": timezone.now().timestamp()}

    def _hold(self, execution: DurableExecution, *, paused: bool) -> Reply:
        if execution.status != "RUNNING" or execution.paused == paused:
            return error(409, "ResourceConflictException")
        execution.paused = paused
        return 202, {}, {}

    def _shown(self, execution: DurableExecution) -> Reply:
        shown = self._line(execution)
        if execution.result is not None:
            shown["Result"] = execution.result
        if execution.error is not None:
            shown["Error"] = execution.error
        return 200, {}, shown

    @staticmethod
    def _line(execution: DurableExecution) -> dict[str, Any]:
        running = "PAUSED" if execution.paused else "RUNNING"
        line = {
            "DurableExecutionArn": execution.arn,
            "DurableExecutionName": execution.name,
            "FunctionArn": f"{REGION}:function:loan-approval:1",
            "Status": running if execution.status == "RUNNING" else execution.status,
            "StartTimestamp": execution.started_at.timestamp(),
        }
        if execution.ended_at is not None:
            line["EndTimestamp"] = execution.ended_at.timestamp()
        return line

    def _list(self, query: dict[str, list[str]]) -> Reply:
        lines = [self._line(execution) for execution in self.executions.values()]
        if names := query.get("DurableExecutionName"):
            lines = [line for line in lines if line["DurableExecutionName"] == names[0]]
        if statuses := query.get("Statuses"):
            lines = [line for line in lines if line["Status"] in statuses]
        if after := query.get("StartedAfter"):
            since = datetime.fromisoformat(after[0]).timestamp()
            lines = [line for line in lines if line["StartTimestamp"] > since]
        return 200, {}, {"DurableExecutions": lines[::-1]}

    @staticmethod
    def _history(execution: DurableExecution) -> Reply:
        at = execution.started_at.timestamp()
        events: list[dict[str, Any]] = []
        ended = {"succeeded": "CallbackSucceeded", "timed out": "CallbackTimedOut"}
        for number, callback in enumerate(execution.callbacks.values(), start=1):
            known = {"Id": str(number), "Name": callback.name, "EventTimestamp": at}
            details = {"CallbackId": callback.id}
            started = {"EventType": "CallbackStarted", "CallbackStartedDetails": details}
            events.append({**known, **started})
            if callback.status in ended:
                events.append({**known, "EventType": ended[callback.status]})
        for index, event in enumerate(events, start=1):
            event["EventId"] = index
        return 200, {}, {"Events": events}

    # --- What happens in it -----------------------------------------------------------------

    def invoke(self, execution: DurableExecution, *, forgetful: bool = False) -> None:
        """Let an execution run its next operation."""
        if not execution.runs:
            return
        context = Context(execution, self.surprises, forgetful=forgetful)
        handler = loan_approval.handler.__wrapped__
        try:
            result = handler(execution.payload, context)
        except Suspended:
            return
        except (loan_approval.NeedsAttention, StepError) as failure:
            said = {"ErrorType": type(failure).__name__, "ErrorMessage": str(failure)}
            self.end(execution, "FAILED", failure=said)
        else:
            self.end(execution, "SUCCEEDED", result=json.dumps(result))

    def end(
        self,
        execution: DurableExecution,
        status: str,
        *,
        result: str | None = None,
        failure: dict[str, str] | None = None,
    ) -> None:
        """End an execution that has not ended."""
        if execution.status == "RUNNING":
            execution.status, execution.paused = status, False
            execution.ended_at = timezone.now()
            execution.result, execution.error = result, failure

    def lose(self, execution: DurableExecution) -> None:
        """Forget that there ever was such an execution."""
        self.lost.append(self.executions.pop(execution.name))

    def forge(self, callback: Callback, answer: str) -> None:
        """Let somebody answer a callback past the office, with whatever text."""
        callback.status, callback.answer = "succeeded", answer

    def open_callbacks(self) -> list[Callback]:
        """Those that an execution which has not ended still waits for."""
        return [
            callback
            for execution in self.executions.values()
            if execution.status == "RUNNING"
            for callback in execution.callbacks.values()
            if callback.status == "open"
        ]
