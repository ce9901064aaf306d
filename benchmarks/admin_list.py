"""Measure the milliseconds that the big lists of the admin take, with many applications.

    python benchmarks/admin_list.py [--applications 1000000]
    python -m tests.postgresql python benchmarks/admin_list.py

Fills a temporary SQLite database, or the one that ``DATABASE_URL`` names (which has to be
without applications, or hold those of an earlier run), and requests each page a few times in
one thread with Django's test client. Medians of the server's time, templates included.
``LOANOFFICE_BENCH_APPLICATIONS`` changes how many there are when no argument does.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LIST = "/admin/applications/loanapplication/"
TASKS = "/admin/reviews/reviewtask/"
MOST = 5_000_000
STANDING = 0.02  # the share of applications that wait for a person
TARGET = 100.0  # milliseconds
OTHERS = (
    "reviews/reviewtask",
    "reviews/reviewdecision",
    "applications/disbursement",
    "workflows/execution",
    "workflows/pendingcallback",
    "workflows/outboxmessage",
    "workflows/incident",
)


def pages(example: Any, partner: int) -> dict[str, str]:
    """Return the name and address of each page."""
    found = {"first page": LIST, "front page": "/admin/"}
    found |= {
        f"status {status}": f"{LIST}?status__exact={status}"
        for status in ("funded", "declined", "pending_approval", "needs_attention")
    }
    found |= {
        f"step {step}": f"{LIST}?current_step__exact={step}"
        for step in ("complete", "risk_assessment", "fraud_check")
    }
    found |= {
        "waiting on manager": f"{LIST}?waiting_on__exact=manager",
        "past 7 days": f"{LIST}?past=7",
        "past 90 days": f"{LIST}?past=90",
        "partner": f"{LIST}?partner__id__exact={partner}",
        "amount 100,000 to 250,000": f"{LIST}?amount=3",
        "amount 500,000 and more": f"{LIST}?amount=5",
        "reference": f"{LIST}?q={example.reference.lower()}",
        "name, rare": f"{LIST}?q=%C3%98ystein+Papadopoulos-",
        "name, an accent": f"{LIST}?q=%C3%A9lodie+c",
        "name, common": f"{LIST}?q=s",
        "name, nobody": f"{LIST}?q=Zzyzx",
        "page 200": f"{LIST}?p=200",
        "status funded, page 200": f"{LIST}?status__exact=funded&p=200",
        "by amount": f"{LIST}?o=-3",
        "by amount, smallest first": f"{LIST}?o=3",
        "oldest first": f"{LIST}?o=8",
        "status funded by amount": f"{LIST}?status__exact=funded&o=-3",
        "status and name": f"{LIST}?status__exact=declined&q=s",
        "status and partner": f"{LIST}?status__exact=withdrawn&partner__id__exact={partner}",
        "status and step": f"{LIST}?status__exact=funded&current_step__exact=risk_assessment",
        "status and past 30 days": f"{LIST}?status__exact=declined&past=30",
        "my approvals": f"{TASKS}?mine=yes",
    }
    return found | {f"list of {other.partition('/')[2]}": f"/admin/{other}/" for other in OTHERS}


def measure(client: Any, address: str, times: int) -> float:
    """Measure some answers and return the median, in milliseconds; the first is not counted."""
    took = []
    for _ in range(times + 1):
        began = time.perf_counter()
        response = client.get(address, follow=True)
        took.append((time.perf_counter() - began) * 1000)
        assert response.status_code == 200, f"{address}: {response.status_code}"
        if took[-1] > 2000:
            break
    return statistics.median(took[1:] or took)


def fill(count: int, say: Callable[[str], None]) -> None:
    """Bring the database to ``count`` applications, if it holds none."""
    from applications.models import LoanApplication
    from devtools.seeding import bulk_insert, row_builder, seed

    held = LoanApplication.objects.count()
    if held:
        say(f"{held:,} applications are there already")
        return
    standing = int(count * STANDING)
    began = time.perf_counter()
    written = seed.seed(seed.SeedRequest(closed=count - standing, standing=standing))
    say(f"seeded {count:,} applications, {written:,} rows, in {time.perf_counter() - began:.0f} s")
    bulk_insert.analyze(row_builder.ORDER)


def run(count: int, times: int) -> None:
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client

    from applications.models import LoanApplication
    from devtools.demo_data import create_demo_data
    from devtools.seeding import bulk_insert, row_builder
    from partners.models import Partner

    began = time.perf_counter()
    call_command("migrate", verbosity=0)
    if (took := time.perf_counter() - began) > 5:
        print(f"migrated in {took:.0f} s")
        bulk_insert.analyze(row_builder.ORDER)
    create_demo_data()
    fill(count, print)
    example = LoanApplication.objects.filter(status="funded").order_by("pk")[count // 10]
    partner = Partner.objects.order_by("name").first()
    asked = pages(example, partner.pk if partner else 0)
    clients = {}
    for username in ("manager", "auditor"):
        clients[username] = Client(headers={"host": "localhost"})
        clients[username].force_login(User.objects.get(username=username))
    print(f"{connection.vendor}, medians in milliseconds")
    print(f"{'':30}{'manager':>10}{'auditor':>10}")
    for name, address in asked.items():
        took = [measure(client, address, times) for client in clients.values()]
        late = "  over the target" if max(took) > TARGET else ""
        print(f"{name:30}{took[0]:10.1f}{took[1]:10.1f}{late}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = int(os.environ.get("LOANOFFICE_BENCH_APPLICATIONS", "1000000"))
    parser.add_argument("--applications", type=int, default=default, help=f"at most {MOST}")
    parser.add_argument("--times", type=int, default=9, help="how often each page is asked")
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="loanoffice.settings.local",
            LOANOFFICE_DATA=folder,
            LOG_LEVEL="ERROR",
        )
        run(max(1000, min(arguments.applications, MOST)), arguments.times)


if __name__ == "__main__":
    main()
