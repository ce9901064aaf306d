"""Measure what goes on behind the pages: outbox, webhooks, reconcile, CSV, memory and threads.

    python -m benchmarks.background_work [--database both] [--applications 200] [--rows 20000]

On a temporary office with an engine of its own:

- outbox: starts that were held back and sent together, and the e-mails of one pass of the sweep;
- engine: its memory and threads when idle, while they all wait for a manager, and at their end;
- reconcile: one pass over those that wait, without its pause between two calls of the engine;
- webhooks: to one endpoint and to fifty, on a receiver that acknowledges at once, sent by one
  process; at most four at once go to one endpoint;
- CSV: the list of seeded applications, as the page streams it.
"""

import argparse
import socket
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from benchmarks.support.contenders import Product, show, spread
from benchmarks.support.office import Office, office, process
from benchmarks.support.processes import (
    DATABASES,
    database,
    memory_and_threads,
    on_each_database,
    wait_until,
)
from benchmarks.support.results import record
from devtools.ports import free_port

ENDPOINTS = 50
EVENTS_TO_ONE = 400
EVENTS_TO_FIFTY = 8
LONGEST = 300.0  # seconds
QUICK = 1000.0  # calls of the engine a second: the limit of an AWS account is not measured here


def timed(body: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of a call by the clock, and those of this process's CPU."""
    began, spent = time.perf_counter(), time.process_time()
    body()
    return time.perf_counter() - began, time.process_time() - spent


def engine_size(place: Office, when: str) -> dict[str, float]:
    """Return the memory and the threads of the engine's process."""
    assert place.engine is not None
    memory, threads = memory_and_threads(place.engine)
    return {f"engine, {when}: memory, MB": memory, f"engine, {when}: threads": threads}


def outbox_and_engine(place: Office, count: int) -> dict[str, float]:
    """Submit without sending, send together, compare, and decide all."""
    from workflows.outbox import queue
    from workflows.reconcile.compare import reconcile

    assert place.engine is not None
    figures = engine_size(place, "idle")
    product, numbers = Product(place.engine), range(count)
    with queue.held_back() as starts:
        for number in numbers:
            product.submit(number)
    took, cpu = timed(lambda: queue.send_together(starts, seconds=LONGEST))
    figures |= {"outbox: starts/s": count / took, "outbox: CPU, ms a start": cpu / count * 1000}
    wait_until("all to wait", lambda: len(product.pending(numbers)) == count, every=0.2)
    figures |= engine_size(place, f"{count} waiting")
    found: list[Any] = []
    took, cpu = timed(lambda: found.append(reconcile(calls_per_second=QUICK)))
    if found[0].findings:
        sys.exit(f"reconcile found {found[0].findings}")
    figures |= {
        "reconcile: executions/s": count / took,
        "reconcile: CPU, ms an execution": cpu / count * 1000,
    }
    sent: list[int] = []
    took, cpu = timed(lambda: sent.append(queue.send_due()))
    figures |= {
        "outbox: e-mails/s": sent[0] / took,
        "outbox: CPU, ms an e-mail": cpu / sent[0] * 1000,
    }
    spread(product.answer, numbers)
    wait_until("all to end", lambda: len(product.ended(numbers)) == count, every=0.2)
    return figures | engine_size(place, f"{count} ended")


def webhooks() -> dict[str, float]:
    """Deliver events to one endpoint, then as many to fifty."""
    from django.db import transaction

    from applications.locking import application_lock
    from applications.services import intake
    from partners.models import Partner
    from webhooks.endpoints import endpoint_create
    from webhooks.events import event_publish
    from webhooks.models import WebhookDelivery
    from workflows.outbox import queue

    port = free_port()

    def accepts() -> bool:
        with socket.socket() as trying:
            return trying.connect_ex(("127.0.0.1", port)) == 0

    def deliver(name: str, endpoints: int, events: int) -> dict[str, float]:
        queue.send_due()  # so that nothing else waits
        partner = Partner.objects.create(name=name)
        with queue.held_back():
            application = intake.application_create_and_submit(
                partner=partner,
                applicant_name="Alice Johnson",
                sin_last4="1111",
                loan_amount=Decimal("150000.00"),
            )
        for number in range(endpoints):
            endpoint_create(partner=partner, url=f"http://127.0.0.1:{port}/{number}")
        for _ in range(events):
            with transaction.atomic():
                event_publish(application=application_lock(application.reference))
        deliveries = WebhookDelivery.objects.filter(endpoint__partner=partner)
        count = deliveries.count()

        def send_all() -> None:
            while deliveries.exclude(status="delivered").exists():
                queue.send_due()

        took, cpu = timed(send_all)
        return {f"{name}: deliveries/s": count / took, f"{name}: CPU, ms each": cpu / count * 1000}

    with process("benchmarks.support.receiver", str(port)):
        wait_until("the receiver", accepts)
        figures = deliver("webhooks to one endpoint", 1, EVENTS_TO_ONE)
        return figures | deliver(f"webhooks to {ENDPOINTS} endpoints", ENDPOINTS, EVENTS_TO_FIFTY)


def csv(rows: int) -> dict[str, float]:
    """Seed applications and read the export of their list."""
    from django.contrib.auth.models import User
    from django.test import Client

    from applications.models import LoanApplication
    from devtools.seeding import seed

    seed.seed(seed.SeedRequest(closed=rows))
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(username="manager"))
    count = LoanApplication.objects.count()

    def read() -> None:
        answer = client.post("/admin/applications/loanapplication/export/")
        assert answer.status_code == 200, answer.status_code
        assert sum(piece.count(b"\n") for piece in answer) == count + 1

    took, cpu = timed(read)
    return {"CSV: rows/s": count / took, "CSV: CPU, s for 100,000 rows": cpu / count * 100_000}


def measure(vendor: str, *, applications: int, rows: int) -> None:
    """Measure on one database."""
    with database(vendor) as served, office(served) as place:
        figures = outbox_and_engine(place, applications) | webhooks() | csv(rows)
        setting = f"{vendor} {served.version}, {applications} applications, {rows} rows of CSV"
        print(setting)
        show(figures)
        record(f"background_work {vendor}", figures, setting=setting)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="both")
    parser.add_argument("--applications", type=int, default=200, help="at most 2000")
    parser.add_argument("--rows", type=int, default=20_000, help="at most 200000")
    given = parser.parse_args()
    if given.database == "both":
        sys.exit(on_each_database("benchmarks.background_work"))
    measure(
        given.database,
        applications=max(1, min(given.applications, 2000)),
        rows=max(1000, min(given.rows, 200_000)),
    )


if __name__ == "__main__":
    main()
