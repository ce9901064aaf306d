"""Compare loans with traces to loans without, in turns (A B B A).

    python -m benchmarks.traces [--database sqlite] [--to file] [--loans 20] [--rounds 10]

One office with two engines, one of which traces; this process, which submits and decides, traces in
the turns of that engine, as the web server does. Spans go into a file, or to a collector over OTLP
that acknowledges everything. Turns are short, for other work of the machine comes and goes.
"""

import argparse
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.support.contenders import Comparison, Product, show, take_turn
from benchmarks.support.office import Office, healthy, office, process
from benchmarks.support.processes import DATABASES, database, wait_until
from devtools.ports import free_port

if TYPE_CHECKING:
    from core.traces.provider import Tracing

TO_OTLP = "OTEL_EXPORTER_OTLP_ENDPOINT"
ON, OFF = "traces on", "traces off"


class Traced(Product):
    """The office, whose requests are spans while traces are on."""

    def __init__(self, engine: int, *, port: int, traces: dict[str, str]) -> None:
        super().__init__(engine)
        self.name = ON if traces else OFF
        self.port = port
        self.traces = traces
        self.tracing: Tracing | None = None

    def begin(self) -> None:
        """Ask this engine from now on, with traces or without."""
        from core.traces import provider
        from workflows import engine

        os.environ["AWS_ENDPOINT_URL_LAMBDA"] = f"http://127.0.0.1:{self.port}"
        os.environ |= self.traces
        engine.forget_client()
        if self.traces:
            to = provider.OTLP if TO_OTLP in self.traces else provider.FILE
            folder = Path(os.environ["LOANOFFICE_DATA"])
            self.tracing = provider.start(to, file=folder / "traces.jsonl")

    def end(self) -> None:
        """Switch traces off again."""
        from core.traces import provider

        if self.tracing is not None:
            provider.stop(self.tracing)

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


@contextmanager
def second_engine(place: Office, traces: dict[str, str]) -> Iterator[Traced]:
    """Run another engine on the same database, with a folder of its own, that traces."""
    port, folder = free_port(), place.folder / "second"
    folder.mkdir()
    before = dict(os.environ)
    os.environ |= {
        "DATABASE_URL": place.database.url or f"sqlite:///{place.folder / 'loanoffice.sqlite3'}",
        "LOANOFFICE_DATA": str(folder),
        "ENGINE_PORT": str(port),
        "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{port}",
        **traces,
    }
    with process("benchmarks.support.engine") as running:
        os.environ.clear()
        os.environ |= before
        wait_until("the second engine", lambda: healthy(port))
        yield Traced(running.pid, port=port, traces=traces)


def measure(vendor: str, *, to: str, loans: int, rounds: int) -> None:
    """Measure in turns, and print medians and the median of the ratios of neighbours."""
    with ExitStack() as opened:
        traces = {"TRACES": "1"}
        if to == "otlp":
            port = free_port()
            opened.enter_context(process("benchmarks.support.receiver", str(port)))
            traces = {TO_OTLP: f"http://127.0.0.1:{port}"}
        served = opened.enter_context(database(vendor))
        place = opened.enter_context(office(served))
        assert place.engine is not None
        first = Traced(place.engine, port=int(os.environ["ENGINE_PORT"]), traces={})
        contenders = [first, opened.enter_context(second_engine(place, traces))]
        comparison, number = Comparison(served), 0
        for turn in range(rounds + 1):  # the first one warms up
            for contender in contenders if turn % 2 else reversed(contenders):
                contender.begin()
                took = take_turn(contender, range(number, number + loans), served)
                contender.end()
                number += loans
                if turn:
                    comparison.turns.setdefault(contender.name, []).append(took)
        figures = comparison.figures() | {
            "on to off: to pending": comparison.ratio(ON, OFF, lambda t: t.loans / t.to_pending),
            "on to off: to the end": comparison.ratio(ON, OFF, lambda t: t.loans / t.to_end),
            "on to off: CPU": comparison.ratio(ON, OFF, lambda t: t.cpu),
        }
        print(f"{vendor} {served.version}, to {to}, {rounds} rounds of {loans} loans each, A B B A")
        show(figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--to", choices=["file", "otlp"], default="file")
    parser.add_argument("--loans", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=10)
    given = parser.parse_args()
    measure(given.database, to=given.to, loans=given.loans, rounds=given.rounds)


if __name__ == "__main__":
    main()
