"""Compare loans with traces to loans without: each turn is an office of its own (A B A B).

    python -m benchmarks.traces [--database sqlite] [--to file] [--loans 60] [--rounds 5]

Spans go into a file, or to a collector over OTLP that acknowledges everything. The submitting
process and the engine trace, as the web server and the engine of the demo do.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from contextlib import ExitStack

from benchmarks.support.contenders import Comparison, Product
from benchmarks.support.office import office, process
from benchmarks.support.processes import DATABASES, ROOT, database, free_port


class Traced(Product):
    """The office, whose requests are spans while traces are on."""

    def submit(self, number: int) -> None:
        """Create and submit an application within a span."""
        from core.traces import spans

        with spans.span("POST"):
            super().submit(number)

    def answer(self, number: int) -> None:
        """Decide the task within a span."""
        from core.traces import spans

        with spans.span("POST"):
            super().answer(number)


def one_turn(vendor: str, *, loans: int) -> None:
    """Take one turn with what the environment says of traces, and print its figures."""
    with database(vendor) as served, office(served) as place:
        assert place.engine is not None
        from core.traces import spans

        comparison = Comparison(served)
        comparison.run([Traced(place.engine)], loans=loans, rounds=1)
        (turn,) = comparison.turns["product"]
        print(
            json.dumps(
                {
                    "traces": spans.is_on(),
                    "to pending, loans/s": turn.loans / turn.to_pending,
                    "to the end, loans/s": turn.loans / turn.to_end,
                    "CPU, ms a loan": turn.cpu / turn.loans * 1000,
                }
            )
        )


def turn_of(vendor: str, *, loans: int, traces: dict[str, str]) -> dict[str, float]:
    """Run one turn in a process of its own."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.traces", "--one-turn"),
            *(f"--database={vendor}", f"--loans={loans}"),
        ],
        cwd=ROOT,
        env={**others, "TRACES": "", **traces},
        stdout=subprocess.PIPE,
        check=True,
    )
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found.pop("traces") == bool(traces)
    return dict(found)


def measure(vendor: str, *, to: str, loans: int, rounds: int) -> None:
    """Measure in turns, and print medians and the median of the ratios of neighbours."""
    pairs = []
    with ExitStack() as opened:
        traces = {"TRACES": "1"}
        if to == "otlp":
            port = free_port()
            opened.enter_context(process("benchmarks.support.receiver", str(port)))
            traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
        for _ in range(rounds):
            pairs.append([turn_of(vendor, loans=loans, traces=each) for each in ({}, traces)])
            print(pairs[-1], flush=True)
    for figure in pairs[0][0]:
        off, on = (statistics.median(pair[which][figure] for pair in pairs) for which in (0, 1))
        ratio = statistics.median(pair[1][figure] / pair[0][figure] for pair in pairs)
        print(
            f"{vendor}, to {to}: {figure:24} off {off:8.2f}  on {on:8.2f}  on to off {ratio:5.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--to", choices=["file", "otlp"], default="file")
    parser.add_argument("--loans", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one-turn", action="store_true")
    given = parser.parse_args()
    if given.one_turn:
        one_turn(given.database, loans=given.loans)
    else:
        measure(given.database, to=given.to, loans=given.loans, rounds=given.rounds)


if __name__ == "__main__":
    main()
