"""Small functions for the engine's tests.

Their effects are files in the folder that the event names: ``effect`` leaves one file for
each key however often it runs, and a line in ``effects.log`` for each run; ``count`` counts
the runs of one key.
"""

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import (
    CallbackConfig,
    Duration,
    InvokeConfig,
    StepConfig,
)
from aws_durable_execution_sdk_python.exceptions import CallbackError, InvokeError
from aws_durable_execution_sdk_python.retries import (
    JitterStrategy,
    RetryStrategyConfig,
    create_retry_strategy,
)
from aws_durable_execution_sdk_python.waits import (
    WaitForConditionConfig,
    WaitStrategyConfig,
    create_wait_strategy,
)

from functions.local.function import Function


def effect(event: dict[str, Any], key: str) -> str:
    """Do something that must happen once; a second run finds it done."""
    path = Path(event["effects"]) / f"{event['id']}.{key}"
    with (path.parent / "effects.log").open("a") as log:
        log.write(f"{path.name}\n")
    try:
        path.open("x").close()
    except FileExistsError:
        return "found"
    return "done"


def count(event: dict[str, Any], key: str) -> int:
    """Count this run; return the number so far."""
    path = Path(event["effects"]) / f"{event['id']}.{key}.runs"
    with path.open("a") as log:
        log.write("run\n")
    return len(path.read_text().splitlines())


def runs(folder: Path, identity: str, key: str) -> int:
    """Return the number of calls of ``count``."""
    path = folder / f"{identity}.{key}.runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


def wait_for_file(event: dict[str, Any], key: str, seconds: float = 30) -> None:
    """Hold a step until the test lets it go."""
    path = Path(event["effects"]) / f"{event['id']}.{key}"
    deadline = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(path.name)
        time.sleep(0.01)


def publish(event: dict[str, Any], callback_id: str) -> None:
    """Tell the test the callback's id, completely or not at all."""
    path = Path(event["effects"]) / f"{event['id']}.callback"
    draft = path.with_suffix(f".draft{threading.get_ident()}")
    draft.write_text(callback_id)
    draft.replace(path)


@durable_execution
def approval(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """A step, a callback, a step."""
    before = context.step(lambda _: effect(event, "before"), name="before")
    callback = context.create_callback(
        name="answer",
        config=CallbackConfig(
            timeout=Duration(event.get("timeout", 0)),
            heartbeat_timeout=Duration(event.get("heartbeat", 0)),
        ),
    )
    context.step(lambda _: publish(event, callback.callback_id), name="publish")
    try:
        answer = callback.result()
    except CallbackError as error:
        answer = f"{type(error).__name__}: {error}"
    context.step(lambda _: effect(event, "after"), name="after")
    return {"before": before, "answer": answer}


@durable_execution
def chain(event: dict[str, Any], context: DurableContext) -> int:
    """Five steps with a pause in each, to be killed in the middle of."""
    for number in range(5):

        def body(_: object, number: int = number) -> str:
            time.sleep(event.get("pause", 0))
            return effect(event, f"step{number}")

        context.step(body, name=f"step{number}")
    return 5


@durable_execution
def gated(event: dict[str, Any], context: DurableContext) -> str:
    """A step that takes as long as the test likes."""

    def body(_: object) -> str:
        count(event, "gated")
        wait_for_file(event, "gate")
        return effect(event, "passed")

    return context.step(body, name="gated")


@durable_execution
def killer(event: dict[str, Any], context: DurableContext) -> str:
    """A step that ends its process, as one does that needs more memory than there is."""

    def body(_: object) -> str:
        if count(event, "killer") <= event["kills"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return "survived"

    return context.step(body, name="killer")


@durable_execution
def quitting(event: dict[str, Any], context: DurableContext) -> int:
    """A step that calls ``sys.exit`` the first time."""

    def body(_: object) -> int:
        tries = count(event, "quitting")
        if tries == 1:
            sys.exit(3)
        return tries

    return context.step(body, name="quitting")


@durable_execution
def stumbling(event: dict[str, Any], context: DurableContext) -> int:
    """A step that fails once and is retried after ``delay`` seconds."""

    def body(_: object) -> int:
        tries = count(event, "stumbling")
        if tries == 1:
            raise ValueError("the first try fails")
        return tries

    retry = create_retry_strategy(
        RetryStrategyConfig(
            max_attempts=3,
            initial_delay=Duration(event["delay"]),
            jitter_strategy=JitterStrategy.NONE,
        )
    )
    return context.step(body, name="stumbling", config=StepConfig(retry_strategy=retry))


@durable_execution
def polling(event: dict[str, Any], context: DurableContext) -> int:
    """Asks until the answer is as wanted, with a second between."""
    strategy = WaitStrategyConfig[int](
        should_continue_polling=lambda found: found < event["wanted"],
        initial_delay=Duration(1),
        jitter_strategy=JitterStrategy.NONE,
    )
    return context.wait_for_condition(
        lambda found, _: found + 1,
        WaitForConditionConfig(create_wait_strategy(strategy), initial_state=0),
        name="polling",
    )


@durable_execution
def calling(event: dict[str, Any], context: DurableContext) -> Any:
    """Invokes another function, and tells what came of it."""
    try:
        tenant = InvokeConfig[Any, Any](tenant_id=event.get("tenant"))
        return context.invoke(event["target"], event["payload"], name="call", config=tenant)
    except InvokeError as error:
        return {"type": error.error_type, "message": error.message}


@durable_execution
def sleeper(event: dict[str, Any], context: DurableContext) -> str:
    """A wait between two steps."""
    context.step(lambda _: effect(event, "asleep"), name="asleep")
    context.wait(Duration(event["seconds"]), name="sleep")
    return context.step(lambda _: effect(event, "awake"), name="awake")


@durable_execution
def failing(event: dict[str, Any], _: DurableContext) -> None:
    """Fails as a handler."""
    raise ValueError(event.get("why", "no reason"))


@durable_execution
def sized(event: dict[str, Any], context: DurableContext) -> int | str:
    """A step whose result, error or name is as long as the test likes; or that of the whole."""

    def body(_: object) -> str:
        if "error" in event:
            raise ValueError("x" * event["error"])
        return "x" * (event.get("result", 2) - len('""'))

    once = StepConfig(retry_strategy=create_retry_strategy(RetryStrategyConfig(max_attempts=1)))
    length = len(context.step(body, name="n" * event.get("letters", 1), config=once))
    return "x" * (event["returned"] - len('""')) if "returned" in event else length


@durable_execution
def echo_durable(event: Any, context: DurableContext) -> Any:
    """Returns what it got."""
    return context.step(lambda _: event, name="echo")


_echo_handler = echo_durable


def raising(event: Any, context: Any) -> Any:
    """Breaks outside of the SDK on its first invocations, as a crashed sandbox does."""
    for operation in event.initial_execution_state.operations:
        details = operation.execution_details
        if details and details.input_payload:
            import json  # noqa: PLC0415 - only here

            asked = json.loads(details.input_payload)
            if count(asked, "invocation") <= asked["failures"]:
                raise RuntimeError("the sandbox died")
    return _echo_handler(event, context)


# What the invocations of ``raw`` got, by the ARN of the execution, and what lets them end.
TOKENS: dict[str, str] = {}
RAW_GATE = threading.Event()


def raw(event: Any, _: Any) -> dict[str, Any]:
    """A durable function without the SDK: the test makes its checkpoints."""
    TOKENS[event.durable_execution_arn] = event.checkpoint_token
    RAW_GATE.wait(600)  # the test lets it end, however slow the machine is
    return {"Status": "SUCCEEDED", "Result": "1"}


def echo(event: Any, _: object) -> Any:
    """A plain function."""
    return event


def who(_: object, context: Any) -> dict[str, Any]:
    """Tells its context."""
    return {
        "function_name": context.function_name,
        "tenant_id": context.tenant_id,
        "arn": context.invoked_function_arn,
        "request_id": context.aws_request_id,
        "left": [
            context.get_remaining_time_in_millis(),
            time.sleep(0.02),
            context.get_remaining_time_in_millis(),
        ],
    }


def talking(event: dict[str, Any], context: Any) -> Any:
    """Logs, prints, and tells the context of its client."""
    logging.getLogger("talking").warning("said %s", event["word"])
    sys.stdout.write(f"printed {event['word']}\n")
    sent = context.client_context
    return sent and {"custom": sent.custom, "env": sent.env, "title": sent.client.app_title}


def broken(event: dict[str, Any], _: object) -> None:
    """A plain function that raises."""
    if "effects" in event:
        count(event, "broken")
    raise KeyError("missing")


def unsteady(event: dict[str, Any], _: object) -> None:
    """A plain function that raises on its first tries."""
    if count(event, "unsteady") <= event["failures"]:
        raise ConnectionError("not yet")
    effect(event, "delivered")


def held(event: dict[str, Any], _: object) -> None:
    """A plain function that takes as long as the test likes."""
    count(event, "held")
    wait_for_file(event, "gate")
    effect(event, "delivered")


def unserializable(_: object, __: object) -> object:
    """Returns what JSON cannot say."""
    return object()


# The longest execution timeout that can be called with ``RequestResponse``.
QUARTER_HOUR = 900

FUNCTIONS = {
    "approval": Function(approval, durable=True),
    "quick-approval": Function(approval, durable=True, execution_timeout_seconds=QUARTER_HOUR),
    "hasty": Function(approval, durable=True, execution_timeout_seconds=1),
    "patient": Function(approval, durable=True, execution_timeout_seconds=3),
    "chain": Function(chain, durable=True),
    "gated": Function(gated, durable=True),
    "killer": Function(killer, durable=True),
    "quitting": Function(quitting, durable=True),
    "stumbling": Function(stumbling, durable=True),
    "polling": Function(polling, durable=True),
    "calling": Function(calling, durable=True),
    "sleeper": Function(sleeper, durable=True),
    "sized": Function(sized, durable=True, execution_timeout_seconds=QUARTER_HOUR),
    "failing": Function(failing, durable=True, execution_timeout_seconds=QUARTER_HOUR),
    "echo-durable": Function(echo_durable, durable=True, execution_timeout_seconds=QUARTER_HOUR),
    "slower-than-sync": Function(
        echo_durable, durable=True, execution_timeout_seconds=QUARTER_HOUR + 1
    ),
    "raising": Function(raising, durable=True),
    "raw": Function(raw, durable=True),
    "echo": Function(echo),
    "talking": Function(talking),
    "who": Function(who),
    "broken": Function(broken),
    "unsteady": Function(unsteady),
    "held": Function(held),
    "unserializable": Function(unserializable),
}
