"""Measure the audit log's pages with many entries, and the cost of entries in a submission.

    python benchmarks/audit_log.py [--entries 1000000]
    python -m tests.postgresql python benchmarks/audit_log.py

On a temporary database, or on the empty one that ``DATABASE_URL`` names. Each page is requested
by one auditor through all of the middleware, in one process; the median of some rounds, and the
least CPU of this process, which says more on a busy machine.
"""

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 7
SUBMISSIONS = 200
PEOPLE = 60
DAYS = 365


def made_up(entries: int) -> Iterator[Any]:
    from django.utils import timezone

    from audit.models import Action, AuditEntry

    now = timezone.now()
    actions = [*[Action.VIEWED] * 12, *Action]
    for number in range(entries):
        reference = f"LOAN-{random.randrange(10**8):08}"
        yield AuditEntry(
            at=now - timedelta(days=DAYS) * (entries - number) / entries,
            action=random.choice(actions),
            message="Opened the application.",
            who=f"person{random.randrange(PEOPLE)}",
            object_kind=random.choice(["applications.loanapplication", "auth.user"]),
            object_id=str(number),
            object_name=reference,
            reference=reference,
            changes={"loan_amount": ["1.00", "2.00"]},
            address="198.51.100.7",
            user_agent="Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
            request_id=f"{number:032x}",
        )


def pages() -> None:
    from django.contrib.auth.models import User
    from django.test import Client

    from audit.models import AuditEntry

    client = Client(headers={"Host": "localhost"})
    client.force_login(User.objects.get(username="auditor"))
    some = AuditEntry.objects.filter(who="person7").first()
    assert some is not None
    asked = {
        "first page": {},
        "an action, rare": {"action__exact": "deleted"},
        "a person": {"who": "person7"},
        "an object's kind": {"kind": "auth.user"},
        "the past 7 days": {"past": "7"},
        "a person, 90 days": {"who": "person7", "past": "90"},
        "search: a reference": {"q": some.reference},
        "search: a request": {"q": some.request_id},
        "search: nobody": {"q": "nobody like that"},
        "page 200, the last": {"p": "200"},
    }
    for what, query in asked.items():
        taken, spent = [], []
        for _ in range(ROUNDS):
            began, cpu = time.perf_counter(), time.process_time()
            answer = client.get("/admin/audit/auditentry/", query)
            taken.append(time.perf_counter() - began)
            spent.append(time.process_time() - cpu)
            if answer.status_code != 200:
                sys.exit(f"{what}: {answer.status_code}")
        each = statistics.median(taken) * 1000
        print(f"{what:24} {each:7.1f} ms, CPU {min(spent) * 1000:7.1f} ms")


def submissions() -> None:
    """Measure the share of a submission that its entries take."""
    from django.contrib.auth.models import User

    from applications.services import intake, timeline

    officer = User.objects.get(username="officer")
    spent = []
    really = timeline.entries_record

    def timed(entries: Any) -> Any:
        began = time.perf_counter()
        found = really(entries)
        spent.append(time.perf_counter() - began)
        return found

    timeline.entries_record = timed
    whole = []
    for number in range(SUBMISSIONS):
        began = time.perf_counter()
        intake.application_create_and_submit(
            user=officer,
            applicant_name=f"Applicant {number}",
            sin_last4="1111",
            loan_amount=Decimal("150000.00"),
            annual_income=Decimal("85000.00"),
        )
        whole.append(time.perf_counter() - began)
    timeline.entries_record = really
    each = statistics.median(spent) * 1000
    print(f"{'a submission':24} {statistics.median(whole) * 1000:7.2f} ms")
    print(f"{'each of its two entries':24} {each:7.2f} ms")


def measure(entries: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from audit.models import AuditEntry
    from devtools.demo_data import create_demo_data

    call_command("migrate", verbosity=0)
    create_demo_data()
    batch: list[Any] = []
    for entry in made_up(entries):
        batch.append(entry)
        if len(batch) == 5000:
            AuditEntry.objects.bulk_create(batch, batch_size=500)
            batch = []
    AuditEntry.objects.bulk_create(batch, batch_size=500)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    print(f"{entries:,} entries, {connection.vendor}")
    pages()
    submissions()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    entries = parser.parse_args().entries
    with tempfile.TemporaryDirectory(prefix="loanoffice-audit-") as folder:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "loanoffice.settings.local",
            "LOANOFFICE_DATA": folder,
            "LOG_LEVEL": "ERROR",
            "AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:9",
        }
        sys.path.insert(0, str(ROOT))
        measure(entries)


if __name__ == "__main__":
    main()
