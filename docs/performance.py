"""Write ``docs/performance.md`` and its picture from the kept figures: ``make performance``.

The benchmarks keep them in ``docs/performance.json`` (``make bench``). The aims are here, each with
the reason that the page gives while it is not met.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "docs" / "performance.json"
PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "performance.svg"
STYLE = """
  svg { --paper: #ffffff; --ink: #1f2933; --soft: #52606d; --bar: #c3ccd6; --product: #1d5fa8; }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #12171d; --ink: #e6ebf0; --soft: #a9b4bf; --bar: #465361; --product: #6cb2ff; }
  }
  text { font-family: "DejaVu Sans", Verdana, sans-serif; font-size: 12px; fill: var(--ink); }
  .title { font-size: 16px; font-weight: bold; }
  .soft { fill: var(--soft); }
  .paper { fill: var(--paper); }
  .bar { fill: var(--bar); }
  .product { fill: var(--product); }
"""
WIDTH, BAR_LEFT, BAR_WIDTH, LINE = 880, 250, 520, 24

type Topics = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Aim:
    """A figure, its bound, and the reason for a bound that is not kept."""

    topic: str
    figure: str
    bound: float
    why: str
    at_least: bool = False

    def is_met(self, value: float) -> bool:
        """Return whether a measured value keeps the bound."""
        return value >= self.bound if self.at_least else value <= self.bound


SERVICES = (
    "A loan writes its record beside its checkpoints: the statements that "
    "[architecture.md](architecture.md#what-one-application-costs) counts. Samples of the engine's "
    "process on SQLite: 58 % of its CPU is Django's ORM, 16 % the engine itself, 14 % the letter."
)
SLOW_QUEUE = (
    "It follows from the ratio to pending: the submissions themselves are done sooner, and the "
    "engine works off what waits."
)
RENDERING = (
    "A profile of the first page and of *My approvals*: 81 and 66 % of the time is spent in "
    "rendering, about half of that on the list's cells, 9 and 17 % in queries. A search that finds "
    "one application also draws its page."
)
DELIVERY = (
    "One thread sends, through Django's ORM, and about thirteen statements claim, read and note "
    "those that are under way together: at most four to one endpoint, sixteen in all. CPU alone "
    "allows 1,000 ms by the CPU of each, where nothing else takes the core."
)
ONE_WRITER = "SQLite has one writer: the web server, the engine and the sweep take turns."
POSTING = (
    "Clients, web server, engine, sweep and PostgreSQL share the two cores, and each POST starts a "
    "loan that the engine works on at once."
)
OVER_HTTP = "The SDK's runner is spared HTTP: it runs in the process of its client."
SCANS = "An exponent of 1 is that of reading a whole table."
AIMS = (
    Aim("api_latency sqlite", "8 clients: p95 to p50", 5, ONE_WRITER),
    Aim("api_latency sqlite", "8 clients: max, ms", 2000, ONE_WRITER),
    Aim("api_latency postgresql", "8 clients: POSTs/s", 40, POSTING, at_least=True),
    *(
        Aim(
            f"product_to_bare {vendor}",
            f"product to bare: to {way}",
            bound,
            SERVICES,
            at_least=True,
        )
        for vendor, bound in (("sqlite", 0.7), ("postgresql", 0.6))
        for way in ("pending", "the end")
    ),
    *(
        Aim(f"product_to_bare {vendor}", "burst: p50 to the bare engine's", 3, SLOW_QUEUE)
        for vendor in ("sqlite", "postgresql")
    ),
    *(
        Aim(f"admin_list {vendor}", figure, bound, RENDERING)
        for vendor in ("sqlite", "postgresql")
        for figure, bound in (("my approvals, ms", 100), ("other pages: slowest, ms", 60))
    ),
    *(
        Aim(f"admin_list {vendor}", f"growth: {what}", 0.1, SCANS)
        for vendor in ("sqlite", "postgresql")
        for what in ("other pages, median", "a submission")
    ),
    *(
        Aim(
            f"background_work {vendor}",
            f"webhooks to {whom}: deliveries/s",
            bound,
            DELIVERY,
            at_least=True,
        )
        for vendor in ("sqlite", "postgresql")
        for whom, bound in (("one endpoint", 200), ("50 endpoints", 300))
    ),
    Aim("peer_dbos", "DBOS to product: CPU", 1, SERVICES, at_least=True),
    Aim("peer_stock_runner", "stock runner to bare engine: CPU", 1, OVER_HTTP, at_least=True),
)
TITLES = {
    "api_latency sqlite": "The API, SQLite",
    "api_latency postgresql": "The API, PostgreSQL",
    "product_to_bare sqlite": "Product and bare engine, SQLite",
    "product_to_bare postgresql": "Product and bare engine, PostgreSQL",
    "peer_dbos": "Product and DBOS",
    "peer_stock_runner": "Product, bare engine and the SDK's own runner",
    "admin_list sqlite": "Pages of the admin, SQLite",
    "admin_list postgresql": "Pages of the admin, PostgreSQL",
    "admin_list sqlite large": "Pages of the admin, SQLite, a million applications",
    "admin_list postgresql large": "Pages of the admin, PostgreSQL, a million applications",
    "background_work sqlite": "Work behind the pages, SQLite",
    "background_work postgresql": "Work behind the pages, PostgreSQL",
    "cold_start": "Cold start",
}
HEAD = """\
# Performance

`make bench` measures, writes `docs/performance.json`, and from that this page and its picture;
`make performance` writes the page alone. Each part below has its machine, its date and the last
commit that changed the product. Where a load is given, other work shared the machine: there rates
and seconds are those of a busy machine, and ratios of turns that followed each other (A B A B) are
what holds. CPU time holds roughly: it grows with such a load, too, but far less. PostgreSQL waits
for the disk at each commit here, as in production; SQLite does at its checkpoints.

What one application costs in operations, checkpoint calls and statements is in
[architecture.md](architecture.md#what-one-application-costs); a test holds it.

![CPU of one loan, and loans in a second](performance.svg)

## Aims

| figure | measured | aim | met | why not |
| --- | --- | --- | --- | --- |
"""
NOTES = {
    "api_latency": "POSTs of applications to the processes of the demo, which work on the loans "
    "meanwhile (`benchmarks/api_latency.py`). PostgreSQL is that of the tests here, which does not "
    "wait for the disk.",
    "product_to_bare": "The bare engine runs the same twelve operations with nothing in its steps "
    "(`benchmarks/product_to_bare.py`). CPU is that of the submitting process, the engine and "
    "PostgreSQL.",
    "peer_dbos": "Both run the same services, which write the same rows into the same server "
    "(`benchmarks/peer_dbos.py`); DBOS takes the place of the engine.",
    "peer_stock_runner": "The steps of the bare engine and of the SDK's runner do nothing; compare "
    "those two (`benchmarks/peer_stock_runner.py`).",
    "admin_list": "CPU of a request, templates and database included "
    "(`benchmarks/admin_list.py`). Growth is the exponent over the numbers of applications: 0 is "
    "not at all, 1 as the table. `--applications 1000 10000 100000 1000000` goes on to a million, "
    "and takes some minutes to fill the tables.",
    "background_work": "One process sends; the receiver of webhooks acknowledges at once "
    "(`benchmarks/background_work.py`).",
    "cold_start": "Imports of the package's functions in fresh processes "
    "(`benchmarks/cold_start.py`).",
}


def shown(value: float) -> str:
    """Format a figure with three digits that count, at least."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _place(topic: str) -> tuple[int, str]:
    """Return a key to sort by: the order of the titles, then whatever has none."""
    known = list(TITLES)
    return (known.index(topic) if topic in known else len(known), topic)


def page(topics: Topics) -> str:
    """Write the page."""
    lines, reasons = [HEAD.rstrip("\n")], list[str]()
    for aim in AIMS:
        if aim.topic not in topics:
            continue
        value = topics[aim.topic]["figures"][aim.figure]
        is_met = aim.is_met(value)
        if not is_met and aim.why not in reasons:
            reasons.append(aim.why)
        cells = (
            f"{TITLES[aim.topic]}: {aim.figure}",
            shown(value),
            f"{'at least' if aim.at_least else 'at most'} {shown(aim.bound)}",
            "yes" if is_met else "no",
            "" if is_met else f"reason {reasons.index(aim.why) + 1}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *(f"{number}. {why}" for number, why in enumerate(reasons, start=1))]
    for topic in sorted(topics, key=_place):
        about = topics[topic]
        script = topic.split()[0]
        lines += [
            "",
            f"## {TITLES.get(topic, topic)}",
            "",
            NOTES.get(script, f"By `benchmarks/{script}.py`."),
            "",
            f"{about['setting']}. Commit {about['commit']}, {about['measured']} UTC, "
            f"{about['machine']}, Python {about['python']}, load {about['others']}.",
            "",
            "| figure | value |",
            "| --- | --- |",
            *(f"| {name} | {shown(value)} |" for name, value in about["figures"].items()),
        ]
    return "\n".join(lines) + "\n"


def svg(topics: Topics) -> str:
    """Draw the CPU of one loan and the loans in a second, of each run that compares some."""
    drawn: list[str] = []
    top = 20
    for figure, title in (
        ("CPU, ms a loan", "CPU of one loan, milliseconds"),
        ("in all, loans/s", "Loans in a second"),
    ):
        top += 16
        drawn.append(f'<text class="title" x="20" y="{top}">{title}</text>')
        top += 12
        bars = [
            (topic, name.partition(":")[0], value)
            for topic in TITLES
            for name, value in topics.get(topic, {}).get("figures", {}).items()
            if name.endswith(f": {figure}")
        ]
        most = max((value for _, _, value in bars), default=1)
        for number, (topic, name, value) in enumerate(bars):
            if number == 0 or bars[number - 1][0] != topic:
                top += 20
                heading = escape(TITLES[topic])
                drawn.append(f'<text class="soft" x="20" y="{top}">{heading}</text>')
                top += 8
            long = max(1, round(value / most * BAR_WIDTH))
            kind = "product" if name == "product" else "bar"
            drawn += [
                f'<text x="40" y="{top + 15}">{escape(name)}</text>',
                f'<rect class="{kind}" x="{BAR_LEFT}" y="{top + 2}" width="{long}" height="18"/>',
                f'<text x="{BAR_LEFT + long + 8}" y="{top + 15}">{shown(value)}</text>',
            ]
            top += LINE
        top += 20
    size = f'width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            "<title>CPU of one loan, and loans in a second</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{top}"/>',
            *drawn,
            "</svg>\n",
        ]
    )


def main() -> None:
    """Write the page and the picture."""
    topics: Topics = json.loads(FIGURES.read_text())
    PAGE.write_text(page(topics))
    PICTURE.write_text(svg(topics))


if __name__ == "__main__":
    main()
