"""The bare loan: the operations of ``functions.loan_approval``, with nothing inside its steps.

What it does beside is what a measurement needs: it writes when it waits for the manager and when
it ends into a file, a line each, and its fraud check answers as the product's does.
"""

import os
import time
from pathlib import Path
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration, ParallelBranch

from applications.choices import Bureau
from benchmarks.support.processes import NOTES
from functions.local.function import Function
from functions.operation_config import ALL_BUREAUS, BUREAU_STEP, STEP
from workflows import engine

WAIT = CallbackConfig(timeout=Duration.from_hours(1))


def note(kind: str, number: int, callback_id: str = "-") -> None:
    """Append one line: what happened, to which loan, and when."""
    with Path(os.environ[NOTES]).open("a") as notes:
        notes.write(f"{kind} {number} {time.time()} {callback_id}\n")


@durable_execution
def loan(event: dict[str, Any], context: DurableContext) -> str:
    """Durable function: twelve operations, two of them callbacks, in the product's order."""
    number = event["number"]

    def branch(bureau: Bureau) -> ParallelBranch[str]:
        def pull(child: DurableContext) -> str:
            return child.step(lambda _: bureau.value, name=bureau.value, config=BUREAU_STEP)

        return ParallelBranch(func=pull, name=bureau.value)

    context.step(lambda _: number, name="validate", config=STEP)
    context.parallel([branch(bureau) for bureau in Bureau], name="credit_check", config=ALL_BUREAUS)
    context.step(lambda _: number, name="risk_assessment", config=STEP)
    manager = context.create_callback(name="manager_approval", config=WAIT)
    context.step(
        lambda _: note("pending", number, manager.callback_id), name="open_manager_approval"
    )
    manager.result()
    fraud = context.create_callback(name="fraud_check-1", config=WAIT)
    context.step(
        lambda _: engine.invoke_event(
            function="bare-fraud-check", payload={"callback_id": fraud.callback_id}
        ),
        name="request_fraud_check-1",
    )
    fraud.result()
    context.step(lambda _: number, name="generating_offer", config=STEP)
    context.step(lambda _: note("ended", number), name="disbursing", config=STEP)
    return "funded"


def fraud_check(event: dict[str, Any], context: object) -> None:  # noqa: ARG001
    """Plain function: answer at once."""
    engine.callback_success(callback_id=event["callback_id"], result={"result": "passed"})


FUNCTIONS = {
    "bare-loan": Function(loan, durable=True),
    "bare-fraud-check": Function(fraud_check, durable=False),
}
