"""Measure how long a POST of an application takes while others are sent, and who holds the lock.

    python benchmarks/api_latency.py [--clients 1 8 32] [--seconds 10]
    python -m tests.postgresql python benchmarks/api_latency.py

Runs the processes of the demo (engine, sweep, web server) on a temporary folder, with no simulated
latency; each client sends one application after another with the partner's key. Beside the
latencies it tells the transactions that waited longest to begin and those that stayed open longest,
by the function that opened them: on SQLite each of them holds the only write lock. The machine does
both sides, so compare ratios, not seconds.
"""

import argparse
import http.client
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
PORT, ENGINE_PORT = 9378, 9379
PROCESSES = ("engine", "sweep", "web")
HELD = "LOANOFFICE_BENCHMARK_HELD"  # the folder for what the processes note of transactions


# --- The processes ----------------------------------------------------------------------------


def serve(name: str) -> None:
    """Run one process of the product, which notes its transactions."""
    import django

    django.setup()
    _note_transactions(Path(os.environ[HELD]) / f"{name}.held")
    from django.core.management import call_command

    from devtools.processes import SWEEP_SECONDS, WEB_THREADS

    if name == "engine":
        call_command("durable_engine", port=ENGINE_PORT)
    elif name == "sweep":
        call_command("sweep", every=SWEEP_SECONDS)
    else:
        import waitress

        from loanoffice.wsgi import application

        waitress.serve(application, listen=f"127.0.0.1:{PORT}", threads=WEB_THREADS)


def _note_transactions(file: Path) -> None:
    from django.db.backends.base.base import BaseDatabaseWrapper

    lines = file.open("a", buffering=1)
    set_autocommit, commit = BaseDatabaseWrapper.set_autocommit, BaseDatabaseWrapper._commit
    mine = threading.local()

    def begin(self: BaseDatabaseWrapper, *given: Any, **named: Any) -> None:
        asked = time.perf_counter()
        set_autocommit(self, *given, **named)
        if not self.autocommit:
            mine.begun = time.perf_counter()
            mine.waited, mine.name = mine.begun - asked, _opened_by()

    def end(self: BaseDatabaseWrapper) -> None:
        commit(self)
        held = time.perf_counter() - mine.begun
        lines.write(json.dumps([time.time(), mine.name, mine.waited, held]) + "\n")

    mock.patch.multiple(BaseDatabaseWrapper, set_autocommit=begin, _commit=end).start()


def _opened_by() -> str:
    frame = sys._getframe(2)
    while frame.f_back is not None:
        path = frame.f_code.co_filename
        if path.startswith(str(ROOT)) and ".venv" not in path and path != __file__:
            return f"{Path(path).relative_to(ROOT)}:{frame.f_code.co_name}"
        frame = frame.f_back
    return "a command"


@contextmanager
def running() -> Iterator[None]:
    """The processes, from when they are healthy until they have ended."""
    from benchmarks.support.processes import wait_until

    started = [
        subprocess.Popen([sys.executable, __file__, "--serve", name], stderr=subprocess.DEVNULL)
        for name in PROCESSES
    ]
    try:
        for address in (f"{ENGINE_PORT}/health", f"{PORT}/health/live/"):
            wait_until(address, partial(_answers, f"http://127.0.0.1:{address}"))
        yield
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            process.wait(timeout=30)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False


# --- The clients ------------------------------------------------------------------------------


def post_for(seconds: float, key: str, taken: list[float]) -> None:
    """Send one application after another; notes the seconds of each."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    body = json.dumps(
        {"applicant_name": "Alice Johnson", "sin_last4": "1111", "loan_amount": "150000.00"}
    )
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        began = time.perf_counter()
        connection.request("POST", "/api/v1/applications/", body, headers)
        answer = connection.getresponse()
        said = answer.read()
        taken.append(time.perf_counter() - began)
        if answer.status != 201:
            sys.stderr.write(f"{answer.status}: {said[:200]!r}\n")
            taken.append(float("nan"))


def measure(clients: int, seconds: float, key: str) -> dict[str, float]:
    """Send with so many clients at once; returns the figures in milliseconds, and how many."""
    taken: list[list[float]] = [[] for _ in range(clients)]
    threads = [threading.Thread(target=post_for, args=(seconds, key, each)) for each in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    all_taken = [one * 1000 for each in taken for one in each]
    good = [one for one in all_taken if not math.isnan(one)]  # not a number: refused
    parts = statistics.quantiles(good, n=100, method="inclusive")
    return {
        "a second": len(good) / seconds,
        "p50": parts[49],
        "p95": parts[94],
        "p99": parts[98],
        "max": max(good),
        "refused": len(all_taken) - len(good),
    }


def report_transactions(folder: Path, since: float, most: int = 8) -> None:
    """Print who waited for a transaction, and who held one, the longest first."""
    held: dict[str, list[float]] = defaultdict(list)
    waited: dict[str, list[float]] = defaultdict(list)
    for file in folder.glob("*.held"):
        for line in file.read_text().splitlines():
            at, name, wait, hold = json.loads(line)
            if at >= since:
                held[f"{file.stem} {name}"].append(hold * 1000)
                waited[f"{file.stem} {name}"].append(wait * 1000)
    for title, found in (("held a transaction", held), ("waited for one", waited)):
        print(f"  {title + ', ms':<68} {'number':>6} {'p50':>7} {'max':>8} {'in all':>8}")
        for name, spent in sorted(found.items(), key=lambda item: -max(item[1]))[:most]:
            print(
                f"  {name:<68.68} {len(spent):>6} {statistics.median(spent):>7.1f} "
                f"{max(spent):>8.1f} {sum(spent):>8.0f}"
            )


def compare(counts: list[int], seconds: float, folder: Path) -> None:
    """Measure each number of clients on one database."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from benchmarks.support.results import record
    from devtools.demo_data import create_demo_data
    from loanoffice.demo_logins import PARTNER_KEY

    call_command("migrate", verbosity=0)
    create_demo_data()
    kept: dict[str, float] = {}
    with running():
        measure(1, 2.0, PARTNER_KEY)  # not counted: imports, connections
        for clients in counts:
            since = time.time()
            figures = measure(clients, seconds, PARTNER_KEY)
            print(f"{clients:>3} clients  " + "  ".join(f"{k} {v:.1f}" for k, v in figures.items()))
            report_transactions(folder, since)
            kept |= {f"{clients} clients: POSTs/s": figures["a second"]}
            kept |= {f"{clients} clients: {k}, ms": figures[k] for k in ("p50", "p95", "max")}
            kept |= {f"{clients} clients: p95 to p50": figures["p95"] / figures["p50"]}
    setting = f"{connection.vendor}, {seconds:g} s for each number of clients"
    record(f"api_latency {connection.vendor}", kept, setting=setting)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=10.0, help="for each number of clients")
    parser.add_argument("--serve", choices=PROCESSES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    if given.serve:
        serve(given.serve)
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(
            {
                "DJANGO_SETTINGS_MODULE": "loanoffice.settings.local",
                "LOANOFFICE_DATA": folder,
                "LOANOFFICE_SIMULATED_LATENCY": "0",
                "LOANOFFICE_PARTNER_RATE": "",
                "ENGINE_PORT": str(ENGINE_PORT),
                "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{ENGINE_PORT}",
                "LOG_LEVEL": "ERROR",
                HELD: folder,
            }
        )
        compare(given.clients, given.seconds, Path(folder))


if __name__ == "__main__":
    main()
