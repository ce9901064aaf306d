"""Measure a request that decides many applications, and the time until all are delivered.

    python benchmarks/bulk_decisions.py [--applications 1000] [--wire 0.0]

Two sets of applications wait in the embedded engine, a process of its own on a temporary folder.
The first is decided row by row, each in a transaction of its own; the second in chunks, as bulk
decisions are. The answers are sent after the last decision, for a bounded time, and then as the
sweep does. ``--wire`` adds a delay in seconds between this process and the engine, as a network
does. ``DATABASE_URL`` selects the database. The time of the processor is that of this process,
and changes less than the time that passes when something else runs on the machine.
"""

import argparse
import contextlib
import os
import re
import socket
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.support.office import office
from benchmarks.support.processes import Database, wait_until

LIST = "/admin/applications/loanapplication/"


def waiting_applications(count: int) -> list[int]:
    """Create applications that wait for a manager; return their primary keys."""
    from django.contrib.auth.models import User

    from applications.services import intake
    from reviews.models import ReviewTask

    officer = User.objects.get(username="officer")
    keys = [
        intake.application_create_and_submit(
            user=officer,
            applicant_name=f"Applicant {number}",
            sin_last4="1111",
            loan_amount=Decimal("150000.00"),
            annual_income=Decimal("85000.00"),
        ).pk
        for number in range(count)
    ]
    asked = ReviewTask.objects.filter(application__in=keys, status="open")
    wait_until("all to wait", lambda: asked.count() == count)
    return keys


def relay(source: socket.socket, target: socket.socket, delay: float) -> None:
    """Forward what arrives, after a delay in seconds."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            time.sleep(delay)
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def wire(delay: float) -> int:
    """Start a proxy to the engine with a delay in seconds; return its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    engine = ("127.0.0.1", int(os.environ["ENGINE_PORT"]))

    def accept() -> None:
        while True:
            near, _ = listener.accept()
            far = socket.create_connection(engine)
            Thread(target=relay, args=(near, far, delay), daemon=True).start()
            Thread(target=relay, args=(far, near, 0.0), daemon=True).start()

    Thread(target=accept, daemon=True).start()
    return int(listener.getsockname()[1])


@dataclass(frozen=True)
class Measured:
    """One request: seconds, of them seconds of the processor, statements; seconds to deliver."""

    request: float
    processor: float
    statements: int
    delivered: float


class Statements:
    """Counts the statements of a connection."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, execute: Any, *given: Any) -> Any:
        self.count += 1
        return execute(*given)


def decide(keys: list[int]) -> Measured:
    """Decide them all in one request."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client

    from applications.models import LoanApplication
    from reviews.models import ReviewDecision
    from workflows.models import PendingCallback
    from workflows.outbox import queue

    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(username="manager"))
    # All that match the filter, as a person chooses more than one page.
    chosen: dict[str, Any] = {
        "action": "approve_selected",
        "index": "0",
        "select_across": "1",
        "_selected_action": keys[:1],
    }
    listed = f"{LIST}?status__exact=pending_approval"
    preview = client.post(listed, chosen).content.decode()
    form = re.findall(r'<input type="hidden" name="(row|run)" value="([^"]+)"', preview)
    typed: dict[str, Any] = {"reason": "", "row": [row for name, row in form if name == "row"]}
    typed |= {name: value for name, value in form if name == "run"}
    statements = Statements()
    began, processor = time.perf_counter(), time.process_time()
    with connection.execute_wrapper(statements):
        answer = client.post(f"{LIST}decide/approve/", typed)
    answered, processor = time.perf_counter(), time.process_time() - processor
    decided = ReviewDecision.objects.filter(task__application__in=keys).count()
    if answer.status_code != 302 or decided != len(keys):
        sys.exit(f"{decided} of {len(keys)} were decided: {answer.status_code}")
    delivered = PendingCallback.objects.filter(
        review_task__application__in=keys, status=PendingCallback.Status.DELIVERED
    )

    def all_delivered() -> bool:
        queue.send_due()  # as the sweep does
        return delivered.count() == len(keys)

    wait_until("all answers to be delivered", all_delivered)
    ended = time.perf_counter()
    # The next set finds an engine that is idle.
    funded = LoanApplication.objects.filter(pk__in=keys, status="funded")
    wait_until("all to be funded", lambda: funded.count() == len(keys))
    return Measured(answered - began, processor, statements.count, ended - began)


def measure(count: int, delay: float) -> None:
    from django.db import connection

    if delay:
        os.environ["AWS_ENDPOINT_URL_LAMBDA"] = f"http://127.0.0.1:{wire(delay)}"
    with (
        mock.patch("reviews.services.bulk_decisions.CHUNK", 1),
        mock.patch("reviews.services.bulk_decisions.PATIENCE", timedelta(minutes=10)),
    ):
        alone = decide(waiting_applications(count))
    chunks = decide(waiting_applications(count))
    print(f"{count} applications on {connection.vendor}, {delay} s to the engine")
    for how, found in (("row by row", alone), ("in chunks", chunks)):
        print(
            f"{how:10} request {found.request:6.2f} s, of the processor {found.processor:5.2f} s, "
            f"{found.statements / count:5.2f} statements a row with those of sending, "
            f"delivered after {found.delivered:6.2f} s"
        )
    print(f"the request takes {alone.request / chunks.request:.1f} times less")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--applications", type=int, default=1_000, help="at most 2,000")
    parser.add_argument("--wire", type=float, default=0.0, help="seconds to the engine")
    given = parser.parse_args()
    count = min(given.applications, 2_000)
    url = os.environ.get("DATABASE_URL")
    with office(Database("as DATABASE_URL says", "", url)):
        measure(count, given.wire)


if __name__ == "__main__":
    main()
