"""Compare the product with its own engine, when nothing is inside the steps.

    python -m benchmarks.product_to_bare [--database both] [--loans 100] [--rounds 5] [--burst 1000]

One engine, a process of its own on a temporary folder, runs both by turns (A B A B): the product,
from the submission until a manager's task is open and from the decision until the loan is funded,
and a loan of the same twelve operations whose steps do nothing. Four threads submit and decide.
Then a burst: all submitted at once, and the time of each until its task is open; the bare engine's
throughput in this run says how long a burst of this size has to take at least.

CPU is that of all processes: the submitting one, the engine and PostgreSQL's.
"""

import argparse
import statistics
import sys

from benchmarks.support.contenders import Bare, Comparison, Product, show, spread
from benchmarks.support.office import office
from benchmarks.support.processes import DATABASES, database, on_each_database, wait_until
from benchmarks.support.results import record

MOST = 2000
BURST_NUMBERS = 1_000_000  # beyond those of the turns


def burst(product: Product, count: int, bare_rate: float) -> dict[str, float]:
    """Submit many at once; return the percentiles of the time until each waits for a manager."""
    numbers = range(BURST_NUMBERS, BURST_NUMBERS + count)
    began = spread(product.submit, numbers)
    wait_until("the burst to wait", lambda: len(product.pending(numbers)) == count, every=1)
    pending = product.pending(numbers)
    first = min(began.values())
    took = sorted(at - first for at in pending.values())
    bare_median = count / bare_rate / 2
    return {
        "burst: applications": count,
        "burst: p50 to pending, s": statistics.median(took),
        "burst: p99 to pending, s": took[int(len(took) * 0.99) - 1],
        "burst: bare engine's p50, s": bare_median,
        "burst: p50 to the bare engine's": statistics.median(took) / bare_median,
    }


def measure(vendor: str, *, loans: int, rounds: int, burst_of: int) -> None:
    """Measure on one database."""
    with database(vendor) as served, office(served) as place:
        assert place.engine is not None
        product, bare = Product(place.engine), Bare(place.engine)
        comparison = Comparison(served)
        comparison.run([product, bare], loans=loans, rounds=rounds)
        figures = comparison.figures()
        figures |= {
            "product to bare: to pending": comparison.ratio(
                product.name, bare.name, lambda t: t.loans / t.to_pending
            ),
            "product to bare: to the end": comparison.ratio(
                product.name, bare.name, lambda t: t.loans / t.to_end
            ),
            "bare to product: CPU": comparison.ratio(bare.name, product.name, lambda t: t.cpu),
        }
        if burst_of:
            figures |= burst(product, burst_of, figures["bare engine: to pending, loans/s"])
        setting = f"{vendor} {served.version}, {rounds} rounds of {loans} loans each, A B A B"
        print(setting)
        show(figures)
        record(f"product_to_bare {vendor}", figures, setting=setting)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="both")
    parser.add_argument("--loans", type=int, default=100, help=f"of each turn, at most {MOST}")
    parser.add_argument("--rounds", type=int, default=5, help="at most 20")
    parser.add_argument("--burst", type=int, default=1000, help=f"at most {MOST}, 0 for none")
    given = parser.parse_args()
    if given.database == "both":
        sys.exit(on_each_database("benchmarks.product_to_bare"))
    measure(
        given.database,
        loans=max(1, min(given.loans, MOST)),
        rounds=max(1, min(given.rounds, 20)),
        burst_of=max(0, min(given.burst, MOST)),
    )


if __name__ == "__main__":
    main()
