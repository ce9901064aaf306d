"""Measure how fast the embedded engine takes executions to a callback and to their end.

``python -m benchmarks.engine_throughput [--executions 500] [--clients 4]``

Everything runs in this process and on loopback: an engine on a temporary folder, and
boto3 clients that start small executions (a step, a callback, a step that publishes the
callback's id) and then answer every callback.
"""

import argparse
import json
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, durable_execution

from functions.local.engine import LocalEngine
from functions.local.function import Function

MOST_EXECUTIONS = 20_000
DEADLINE_SECONDS = 600
CALLBACKS: dict[int, str] = {}


@durable_execution
def publish_and_wait(event: dict[str, int], context: DurableContext) -> int:
    """Durable function: a step, a callback, and a step that publishes the callback's id."""
    number = event["number"]
    context.step(lambda _: number, name="first")
    callback = context.create_callback(name="answer")
    context.step(lambda _: CALLBACKS.__setitem__(number, callback.callback_id), name="publish")
    callback.result()
    return context.step(lambda _: number, name="last")


def wait_until(done: Callable[[], bool]) -> None:
    """Poll for a condition, within the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not done():
        if time.monotonic() > deadline:
            sys.exit("The benchmark took too long.")
        time.sleep(0.01)


def resident_megabytes() -> float:
    """Return the memory of this process now, or at its highest where /proc is missing."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(row for row in status.read_text().splitlines() if row.startswith("VmRSS"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def spread(clients: list[Any], call: Callable[[Any, int], None], numbers: Iterable[int]) -> None:
    """Call once for each number, on a thread for each client."""
    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(lambda number: call(clients[number % len(clients)], number), numbers))


def start(client: Any, number: int) -> None:
    """Start one execution."""
    client.invoke(
        FunctionName="publish_and_wait:live",
        InvocationType="Event",
        DurableExecutionName=f"execution-{number}",
        Payload=json.dumps({"number": number}),
    )


def answer(client: Any, number: int) -> None:
    """Answer one callback."""
    client.send_durable_execution_callback_success(CallbackId=CALLBACKS[number], Result=b"yes")


def report(phase: str, executions: int, seconds: float) -> None:
    """Print one line."""
    print(
        f"{phase:<10} {executions / seconds:8.1f} executions/s   {seconds:7.2f} s   "
        f"{threading.active_count():4d} threads   {resident_megabytes():7.1f} MB"
    )


def main() -> None:
    """Run both phases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=500)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--handler-threads", type=int, default=16)
    options = parser.parse_args()
    executions = min(options.executions, MOST_EXECUTIONS)
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalEngine(
            functions={"publish_and_wait": Function(publish_and_wait, durable=True)},
            data=Path(folder),
            handler_threads=options.handler_threads,
        ) as engine,
    ):
        clients = [
            boto3.client(
                "lambda",
                endpoint_url=engine.url,
                region_name="us-west-2",
                aws_access_key_id="local",
                aws_secret_access_key="local",  # noqa: S106
            )
            for _ in range(max(1, min(options.clients, 32)))
        ]
        began = time.monotonic()
        spread(clients, start, range(executions))
        wait_until(lambda: len(CALLBACKS) == executions and engine.tracked()["queues"] == 0)
        report("to pending", executions, time.monotonic() - began)
        began = time.monotonic()
        spread(clients, answer, range(executions))
        wait_until(lambda: engine.tracked()["executions"] == 0)
        report("to the end", executions, time.monotonic() - began)


if __name__ == "__main__":
    main()
