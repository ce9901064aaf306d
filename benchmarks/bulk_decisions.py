"""Measure a request that decides many applications, and the time until all are delivered.

    python benchmarks/bulk_decisions.py [--applications 500] [--wire 0.0]

Two sets of applications wait in the embedded engine, a process of its own on a temporary folder.
The first is decided as a single decision is, each answer sent when it is committed; the second
as bulk decisions are, the answers together after the last. ``--wire`` adds a delay in seconds
between this process and the engine, as a network does. ``DATABASE_URL`` selects the database.
"""

import argparse
import contextlib
import os
import re
import socket
import sys
import time
from contextlib import nullcontext
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


def decide(keys: list[int]) -> tuple[float, float]:
    """Decide them all; return the seconds of the request, and until the last delivery."""
    from django.contrib.auth.models import User
    from django.test import Client

    from applications.models import LoanApplication
    from reviews.models import ReviewDecision
    from workflows.models import PendingCallback
    from workflows.outbox import queue

    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(username="manager"))
    chosen: dict[str, Any] = {"action": "approve_selected", "index": "0", "_selected_action": keys}
    preview = client.post(LIST, chosen).content.decode()
    form = re.findall(r'<input type="hidden" name="(row|run)" value="([^"]+)"', preview)
    typed: dict[str, Any] = {"reason": "", "row": [row for name, row in form if name == "row"]}
    typed |= {name: value for name, value in form if name == "run"}
    began = time.perf_counter()
    answer = client.post(f"{LIST}decide/approve/", typed)
    answered = time.perf_counter()
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
    return answered - began, ended - began


def measure(count: int, delay: float) -> None:
    from django.db import connection

    if delay:
        os.environ["AWS_ENDPOINT_URL_LAMBDA"] = f"http://127.0.0.1:{wire(delay)}"
    with (
        mock.patch("workflows.outbox.queue.held_back", return_value=nullcontext([])),
        mock.patch("reviews.services.bulk_decisions.PATIENCE", timedelta(minutes=10)),
    ):
        alone, alone_delivered = decide(waiting_applications(count))
    together, together_delivered = decide(waiting_applications(count))
    print(f"{count} applications on {connection.vendor}, {delay} s to the engine")
    for how, request, delivered in (
        ("one by one", alone, alone_delivered),
        ("together", together, together_delivered),
    ):
        print(f"sent {how:11} request {request:6.2f} s, delivered after {delivered:6.2f} s")
    print(f"the request takes {alone / together:.1f} times less")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--applications", type=int, default=500, help="at most 500")
    parser.add_argument("--wire", type=float, default=0.0, help="seconds to the engine")
    given = parser.parse_args()
    count = min(given.applications, 500)
    url = os.environ.get("DATABASE_URL")
    with office(Database("as DATABASE_URL says", "", url)):
        measure(count, given.wire)


if __name__ == "__main__":
    main()
