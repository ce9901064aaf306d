"""Compare the product with the SDK's own local runner and a handler as of the SDK's demo.

    python -m benchmarks.peer_stock_runner [--loans 50] [--rounds 5]

The peer is ``DurableFunctionTestRunner`` of the testing package, with its SQLite store. Its handler
has seventeen operations: steps, a parallel block with nested contexts, and two waits for a
callback. It is spared much that the product does: its steps do nothing, it runs in the process of
its client, so nothing is sent over HTTP, and nobody can list or stop its executions.
By turns (A B C A B C) in one run, with the product on SQLite and its engine with empty steps.
"""

import argparse
import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import NestingType, ParallelBranch, ParallelConfig

from benchmarks.support.contenders import Bare, Comparison, Product, show
from benchmarks.support.office import office
from benchmarks.support.processes import database
from benchmarks.support.results import record

BUREAUS = ("equifax", "experian", "transunion")


class StockRunner:
    """The testing package's runner, in this process."""

    name = "stock runner"
    processes = ()

    def __init__(self, folder: Path) -> None:
        from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
        from aws_durable_execution_sdk_python_testing.stores.sqlite import SQLiteExecutionStore

        self.runner = DurableFunctionTestRunner(
            handler=self.handler(),
            store=SQLiteExecutionStore.create_and_initialize(folder / "stock.db"),
            skip_time=False,
        )
        self.pool = ThreadPoolExecutor(4)
        self.waiting: dict[int, tuple[float, str]] = {}
        self.ends: dict[int, float] = {}

    def handler(self) -> Any:
        """Make the durable function."""

        def branch(bureau: str) -> ParallelBranch[str]:
            def pull(child: DurableContext) -> str:
                return child.step(lambda _: bureau, name=bureau)

            return ParallelBranch(func=pull, name=bureau)

        def answer(callback_id: str, _: object) -> None:
            self.pool.submit(self.runner.send_callback_success, callback_id, b'"passed"')

        @durable_execution
        def loan(event: dict[str, Any], context: DurableContext) -> str:
            number = event["number"]

            def note(callback_id: str, _: object) -> None:
                self.waiting[number] = (time.time(), callback_id)

            context.step(lambda _: number, name="validate")
            context.parallel(
                [branch(bureau) for bureau in BUREAUS],
                name="credit_check",
                config=ParallelConfig(nesting_type=NestingType.NESTED),
            )
            context.step(lambda _: number, name="risk_assessment")
            context.wait_for_callback(note, name="manager_approval")
            context.wait_for_callback(answer, name="fraud_check")
            context.step(lambda _: number, name="generating_offer")
            context.step(lambda _: self.ends.setdefault(number, time.time()), name="disbursing")
            return "funded"

        return loan

    def submit(self, number: int) -> None:
        """Start an execution."""
        self.runner.run_async(input=json.dumps({"number": number}), execution_name=f"loan-{number}")

    def pending(self, numbers: range) -> dict[int, float]:
        """Return the times at which the handlers had a callback."""
        return {n: self.waiting[n][0] for n in numbers if n in self.waiting}

    def answer(self, number: int) -> None:
        """Answer the callback."""
        self.runner.send_callback_success(self.waiting[number][1], b'"approve"')

    def ended(self, numbers: range) -> dict[int, float]:
        """Return the times of the last steps."""
        return {n: self.ends[n] for n in numbers if n in self.ends}

    def close(self) -> None:
        """Stop the runner."""
        self.runner.close()
        self.pool.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loans", type=int, default=50, help="of each turn, at most 500")
    parser.add_argument("--rounds", type=int, default=5, help="at most 20")
    given = parser.parse_args()
    loans, rounds = max(1, min(given.loans, 500)), max(1, min(given.rounds, 20))
    with (
        tempfile.TemporaryDirectory(prefix="loanoffice-bench-") as folder,
        database("sqlite") as served,
        office(served) as place,
    ):
        assert place.engine is not None
        peer = StockRunner(Path(folder))
        comparison = Comparison(served)
        contenders = [Product(place.engine), Bare(place.engine), peer]
        comparison.run(contenders, loans=loans, rounds=rounds)
        peer.close()
        figures = comparison.figures()
        figures["stock runner to bare engine: CPU"] = comparison.ratio(
            peer.name, Bare.name, lambda turn: turn.cpu
        )
        setting = f"SQLite {served.version}, {rounds} rounds of {loans} loans each, A B C A B C"
        print(setting)
        show(figures)
        record("peer_stock_runner", figures, setting=setting)


if __name__ == "__main__":
    main()
