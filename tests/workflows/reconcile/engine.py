"""A real engine on loopback, for a record that is made to disagree with it in every way we know.

The durable function here does what its payload tells it; the product's own is tested
elsewhere. Tests with it see what the reconciler sees over the wire and what it makes of it.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration, StepConfig
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy

from applications.models import LoanApplication
from functions.local.engine import LocalEngine
from functions.local.function import Function
from tests.waiting import eventually
from workflows import engine
from workflows.models import Execution, OutboxMessage, PendingCallback

CALLBACKS: dict[str, str] = {}
HELD = threading.Event()  # for an invocation of which nothing is heard any more
REACHES = {"hold": "StepStarted", "sleep": "WaitStarted", "stumble": "StepFailed"}
SHORT = 1  # seconds


@durable_execution
def puppet(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Ends, fails, or waits in one way or another, as the payload says."""
    match event["do"]:
        case "return":
            return dict(event["result"])
        case "fail":
            raise ValueError(event["why"])
        case "hold":
            return {"status": context.step(lambda _: HELD.wait(30), name="held")}
        case "sleep":
            context.wait(Duration.from_minutes(60))
            return {}
        case "stumble":

            def body(_: object) -> None:
                raise ValueError("again in an hour")

            retry = create_retry_strategy(
                RetryStrategyConfig(max_attempts=3, initial_delay=Duration.from_minutes(60))
            )
            return context.step(body, name="stumble", config=StepConfig(retry_strategy=retry))
        case _:
            timeout = Duration.from_seconds(event.get("seconds", 3600))
            callback = context.create_callback(name="asked", config=CallbackConfig(timeout=timeout))
            CALLBACKS[event["name"]] = callback.callback_id
            try:
                callback.result()
            finally:
                if event.get("stay"):
                    context.wait(Duration.from_minutes(60))
            return {"status": "done"}


@pytest.fixture(autouse=True)
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with LocalEngine(
        functions={
            "loan-approval": Function(puppet, durable=True),
            "short-lived": Function(puppet, durable=True, execution_timeout_seconds=SHORT),
        },
        data=tmp_path,
        retry_backoff_seconds=1,
    ) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", running.url)
        engine.forget_client()
        HELD.clear()
        yield
        HELD.set()
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", running.url)
        engine.forget_client()
        for listed in list(engine.executions(statuses=engine.UNFINISHED)):
            engine.stop(arn=listed.arn, error_type="Over", message="the test is over")
        engine.forget_client()


type Carry = Callable[..., str]


@pytest.fixture
def carry() -> Carry:
    """``carry(application, do="fail")``: what the engine does with a case; returns the ARN.

    The record hears of the start, as it does when the message has left.
    """

    def start(application: LoanApplication, *, noted: bool = True, **payload: Any) -> str:
        name = f"{application.reference}-{application.attempt}"
        arn = engine.start(
            function="loan-approval:live", name=name, payload={"name": name, **payload}
        )
        OutboxMessage.objects.filter(key=f"start/{name}").update(status="sent")
        if noted:
            Execution.objects.filter(name=name).update(arn=arn, status="RUNNING")
        if payload["do"] == "wait":
            eventually(lambda: name in CALLBACKS, what="the callback")
        elif payload["do"] in REACHES:
            kind = REACHES[payload["do"]]
            eventually(lambda: kind in {event["EventType"] for event in engine.history(arn=arn)})
        else:
            eventually(lambda: engine.get(arn=arn)["Status"] not in engine.UNFINISHED)
        return arn

    return start


def callback_of(application: LoanApplication) -> PendingCallback:
    """The case's open callback, under the id that the engine really gave."""
    callback = PendingCallback.objects.get(execution__application=application)
    callback.callback_id = CALLBACKS[callback.execution.name]
    callback.save(update_fields=["callback_id"])
    return callback
