"""Measure applications a second through the real engine, submit to funded, on one machine.

    python benchmarks/applications_to_funded.py [--applications 200]

Runs the embedded engine as a process of its own on a temporary folder, with no simulated
latency. Half of the work is the SDK's; ``engine_throughput.py`` measures how much.
"""

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PORT = 9377
DEADLINE = 300.0  # seconds


def wait_until(what: str, look: object) -> None:
    deadline = time.monotonic() + DEADLINE
    while not look():  # type: ignore[operator]
        if time.monotonic() > deadline:
            sys.exit(f"gave up waiting for {what}")
        time.sleep(0.05)


def healthy() -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def measure(count: int) -> None:
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command

    from applications.models import LoanApplication
    from applications.services import intake
    from devtools.demo_data import create_demo_data
    from lending.choices import Outcome
    from reviews.models import ReviewTask
    from reviews.services import decisions
    from workflows.models import SimulatedPayout

    call_command("migrate", verbosity=0)
    create_demo_data()
    officer = User.objects.get(username="officer")
    manager = User.objects.get(username="manager")
    wait_until("the engine", healthy)

    began = time.perf_counter()
    for number in range(count):
        intake.application_create_and_submit(
            user=officer,
            applicant_name=f"Applicant {number}",
            sin_last4="1111",
            loan_amount=Decimal("150000.00"),
            annual_income=Decimal("85000.00"),
        )
    submitted = time.perf_counter()
    wait_until("all to wait", lambda: ReviewTask.objects.filter(status="open").count() == count)
    waiting = time.perf_counter()
    for task in ReviewTask.objects.select_related("application").order_by("pk"):
        decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    decided = time.perf_counter()
    funded = LoanApplication.objects.filter(status="funded")
    wait_until("all to be funded", lambda: funded.count() == count)
    ended = time.perf_counter()
    if SimulatedPayout.objects.count() != count:
        sys.exit("the number of payouts differs from the number of applications")
    print(f"{count} applications")
    print(f"submit            {count / (submitted - began):6.1f} a second")
    print(f"submit to waiting {count / (waiting - began):6.1f} a second")
    print(f"decide            {count / (decided - waiting):6.1f} a second")
    print(f"decide to funded  {count / (ended - waiting):6.1f} a second")
    print(f"in all            {count / (waiting - began + ended - waiting):6.1f} a second")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--applications", type=int, default=200, help="at most 2000")
    count = min(parser.parse_args().applications, 2000)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="loanoffice.settings.local",
            LOANOFFICE_DATA=folder,
            LOANOFFICE_SIMULATED_LATENCY="0",
            ENGINE_PORT=str(PORT),
            AWS_ENDPOINT_URL_LAMBDA=f"http://127.0.0.1:{PORT}",
            LOG_LEVEL="ERROR",
        )
        sys.path.insert(0, str(ROOT))
        engine = subprocess.Popen([sys.executable, str(ROOT / "manage.py"), "durable_engine"])
        try:
            measure(count)
        finally:
            engine.send_signal(signal.SIGTERM)
            engine.wait(timeout=30)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = (used.ru_utime + used.ru_stime) * 1000 / count
        print(f"engine            {spent:6.1f} ms of processor an application, its start included")


if __name__ == "__main__":
    main()
