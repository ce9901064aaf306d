"""Measure the cost of counting a partner's calls: with a limit, without, the statement alone.

    python benchmarks/rate_limit.py
    python -m tests.postgresql python benchmarks/rate_limit.py

On a temporary database, or on the empty one that ``DATABASE_URL`` names. Calls go through all of
the middleware, in one process. The last line is for concurrent calls: threads that count for one
partner, which is the worst case.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CALLS = 500
THREADS = 8
PLENTY = "10000/s"
LIST = "/api/v1/applications/"


def median(body: Callable[[], object]) -> float:
    """Return the median in milliseconds; the first few are not counted."""
    taken = []
    for number in range(CALLS + 20):
        began = time.perf_counter()
        body()
        if number >= 20:
            taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


def measure() -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client, override_settings

    from partners.models import Partner
    from partners.services import keys, throttling
    from partners.throttling import Rate

    call_command("migrate", verbosity=0)
    partner = Partner.objects.create(name="Benchmark")
    _, key = keys.partner_key_issue(partner=partner)
    client = Client(headers={"Authorization": f"Bearer {key}", "Host": "localhost"})
    rate = Rate.read(PLENTY)
    assert rate is not None

    def call() -> None:
        if client.get(LIST).status_code != 200:
            sys.exit("a call was refused")

    def count() -> None:
        throttling.call_count(name="partner/0", rate=rate)

    def many() -> None:
        for _ in range(CALLS):
            count()
        connection.close()

    print(f"database: {connection.vendor}")
    for limit in ("", PLENTY):
        with override_settings(LOANOFFICE_PARTNER_RATE=limit):
            print(
                f"{'a call, counted' if limit else 'a call, not counted':24} {median(call):7.2f} ms"
            )
    print(f"{'the statement alone':24} {median(count):7.2f} ms")
    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(many) for _ in range(THREADS)]:
            done.result()
    rest = THREADS * CALLS / (time.perf_counter() - began)
    print(f"{f'{THREADS} threads, one partner':24} {rest:7.0f} a second")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/rate_limit.sqlite3")
        os.environ.setdefault("LOANOFFICE_DATA", folder)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loanoffice.settings.local")
        os.environ.setdefault("LOG_LEVEL", "ERROR")
        sys.path.insert(0, str(ROOT))
        measure()


if __name__ == "__main__":
    main()
