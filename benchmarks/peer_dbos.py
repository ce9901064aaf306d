"""Compare the product with the same loan on DBOS, which keeps its state in PostgreSQL.

    python -m venv ../peer && ../peer/bin/pip install -r requirements/dev.txt
    ../peer/bin/pip install dbos          # without hashes, so in a command of its own
    ../peer/bin/python -m benchmarks.peer_dbos [--loans 50] [--rounds 5]

DBOS is no requirement of the product: without it this script only says what to install. Never
install it into ``.venv``.

Both run ``functions.loan_approval.carry`` with the same services, which write the same rows into
the same database. For DBOS its steps, callbacks and the calls of ``workflows.engine`` are made of
DBOS's own: ``run_step``, ``recv`` and ``send``, and a queue that the client fills and a worker
process empties, as the engine is a process of its own. By turns (A B A B) in one run, on one
PostgreSQL server. The bureaus are asked one after the other there, which costs nothing here:
nothing simulates their latency. A loan that waits holds a thread of DBOS's worker.
"""

import argparse
import contextvars
import importlib.util
import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.support.contenders import Comparison, Product, show
from benchmarks.support.office import office, process
from benchmarks.support.processes import database, wait_until
from benchmarks.support.results import record

URL = "LOANOFFICE_BENCH_DBOS"  # the variable that names DBOS's own database
READY = "LOANOFFICE_BENCH_DBOS_READY"  # the file that the worker writes
QUEUE = "loans"
POLL = 0.05  # seconds; a second by default
LONGEST_WAIT = 3600.0  # seconds
on_dbos: contextvars.ContextVar[bool] = contextvars.ContextVar("on_dbos", default=False)


class Callback:
    """A callback of the SDK, made of a message of DBOS."""

    def __init__(self, workflow: str, name: str) -> None:
        self.callback_id = f"{workflow}/{name}"
        self.name = name

    def result(self) -> str | None:
        """Wait for the answer."""
        from dbos import DBOS

        return DBOS.recv(topic=self.name, timeout_seconds=LONGEST_WAIT)


class Context:
    """The SDK's context for ``functions.loan_approval``, made of DBOS's operations."""

    logger = logging.getLogger(__name__)

    def __init__(self, workflow: str) -> None:
        self.workflow = workflow
        self.execution_context = SimpleNamespace(durable_execution_arn=workflow)

    def step(self, body: Callable[[Any], Any], *, name: str, config: object) -> Any:  # noqa: ARG002
        """Run a body once and keep its result."""
        from dbos import DBOS

        return DBOS.run_step({"name": name}, body, None)

    def parallel(self, branches: list[Any], *, name: str, config: object) -> Any:  # noqa: ARG002
        """Run the branches, one after the other."""
        for branch in branches:
            branch.func(self)
        return SimpleNamespace(get_errors=list)

    def create_callback(self, *, name: str, config: object) -> Callback:  # noqa: ARG002
        """Name a message that is waited for."""
        return Callback(self.workflow, name)


def client() -> Any:
    """Connect to DBOS's database, to fill its queue and to send messages."""
    from dbos import DBOSClient

    return DBOSClient(system_database_url=os.environ[URL])


def answer_with(peer: Any) -> Callable[..., None]:
    """Make what replaces ``workflows.engine.callback_success``."""

    def callback_success(*, callback_id: str, result: dict[str, Any]) -> None:
        workflow, _, topic = callback_id.partition("/")
        peer.send(workflow, json.dumps(result), topic)

    return callback_success


class Dbos:
    """The product's services with DBOS in place of the engine."""

    name = "DBOS"

    def __init__(self, worker: int, engine: int) -> None:
        from workflows import engine as module

        self.product = Product(engine)
        self.processes = (worker,)
        self.peer = client()
        module.start = self._either(module.start, self._start)
        module.callback_success = self._either(module.callback_success, answer_with(self.peer))

    def _either(self, usual: Callable[..., Any], instead: Callable[..., Any]) -> Callable[..., Any]:
        def call(**given: Any) -> Any:
            return (instead if on_dbos.get() else usual)(**given)

        return call

    def _start(self, *, function: str, name: str, payload: dict[str, Any]) -> str:  # noqa: ARG002
        options = {"queue_name": QUEUE, "workflow_name": "loan", "workflow_id": name}
        self.peer.enqueue(options, payload)
        return name

    def submit(self, number: int) -> None:
        """Submit an application whose execution is a workflow of DBOS."""
        on_dbos.set(True)
        self.product.submit(number)

    def answer(self, number: int) -> None:
        """Decide its task."""
        on_dbos.set(True)
        self.product.answer(number)

    def pending(self, numbers: range) -> dict[int, float]:
        """Return the times at which the tasks were opened."""
        return self.product.pending(numbers)

    def ended(self, numbers: range) -> dict[int, float]:
        """Return the times at which the applications were funded."""
        return self.product.ended(numbers)


def work() -> None:
    """Run workflows until a signal: the worker process."""
    import django

    django.setup()
    from dbos import DBOS

    from applications.services.attempts import Attempt
    from core.stop_signals import set_on_stop_signal
    from functions import fraud_check, loan_approval
    from workflows import engine

    asked_to_stop = threading.Event()
    set_on_stop_signal(asked_to_stop)
    DBOS(
        config={"name": "loanoffice", "system_database_url": os.environ[URL], "log_level": "ERROR"}
    )

    @DBOS.workflow(name="loan")
    def loan(event: dict[str, Any]) -> dict[str, str]:
        attempt = Attempt(reference=event["application"], number=event["attempt"])
        context: Any = Context(str(DBOS.workflow_id))
        flow = loan_approval.Workflow(attempt, context, request=event.get("request_id", ""))
        return asdict(loan_approval.carry(attempt, flow))

    @DBOS.workflow(name="fraud")
    def fraud(event: dict[str, Any]) -> dict[str, Any]:
        return DBOS.run_step({"name": "check"}, fraud_check.handler, event, None)

    aside = ThreadPoolExecutor(4)  # a step may not start a workflow

    def invoke_event(*, function: str, payload: dict[str, Any]) -> None:  # noqa: ARG001
        aside.submit(DBOS.start_workflow, fraud, payload)

    DBOS.launch()
    DBOS.register_queue(QUEUE, polling_interval_sec=POLL)
    engine.invoke_event = invoke_event
    engine.callback_success = answer_with(client())
    Path(os.environ[READY]).touch()
    asked_to_stop.wait()
    os._exit(0)  # threads that wait for an answer end with the process


def main() -> None:
    """Run the worker, where its database is named; else the comparison."""
    if importlib.util.find_spec("dbos") is None:
        print("DBOS is not installed; the first lines of this script say how to run it.")
        return
    if URL in os.environ:
        work()
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loans", type=int, default=50, help="of each turn, at most 500")
    parser.add_argument("--rounds", type=int, default=5, help="at most 20")
    given = parser.parse_args()
    loans, rounds = max(1, min(given.loans, 500)), max(1, min(given.rounds, 20))
    with database("postgresql") as served, office(served) as place:
        assert place.engine is not None
        ready = place.folder / "dbos-is-ready"
        os.environ |= {URL: str(served.other_url), READY: str(ready)}
        with process("benchmarks.peer_dbos") as worker:
            wait_until("DBOS", lambda: ready.exists() or worker.poll() is not None)
            if worker.poll() is not None:
                sys.exit("DBOS's worker did not start")
            peer = Dbos(worker.pid, place.engine)
            comparison = Comparison(served)
            comparison.run([Product(place.engine), peer], loans=loans, rounds=rounds)
            figures = comparison.figures()
            figures["DBOS to product: CPU"] = comparison.ratio(
                peer.name, Product.name, lambda turn: turn.cpu
            )
            setting = f"PostgreSQL {served.version}, {rounds} rounds of {loans} loans, A B A B"
            print(setting)
            show(figures)
            record("peer_dbos", figures, setting=setting)


if __name__ == "__main__":
    main()
