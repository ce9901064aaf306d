"""Measure the seconds that sealing and verifying take, for 100,000 rows.

    python benchmarks/seals.py [--rows 100000]
    python -m tests.postgresql python benchmarks/seals.py

On a temporary database, or on the empty one that ``DATABASE_URL`` names. Half of the rows are
audit entries and half timeline entries, which is about what an application has of each; the copies
go into a file.
"""

import argparse
import os
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BATCH = 5000


def fill(rows: int) -> None:
    """Write audit entries and timeline entries of the usual size."""
    from django.contrib.auth.models import User
    from django.utils import timezone

    from applications.models import ApplicationEvent, LoanApplication
    from applications.services import intake
    from audit.models import Action, AuditEntry

    application: LoanApplication = intake.application_create(
        user=User.objects.get(username="officer"),
        applicant_name="Alice Johnson",
        sin_last4="1111",
        loan_amount=150_000,
    )
    began = timezone.now() - timedelta(days=365)

    def entry(number: int) -> Any:
        return AuditEntry(
            at=began + timedelta(minutes=number),
            action=Action.CHANGED,
            message="Changed the application.",
            who=f"person{number % 60}",
            object_kind="applications.loanapplication",
            object_id=str(number),
            object_name=f"LOAN-{number:08}",
            reference=f"LOAN-{number:08}",
            changes={"loan_amount": ["1.00", "2.00"]},
            address="198.51.100.7",
            user_agent="Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
            request_id=f"{number:032x}",
        )

    def event(number: int) -> Any:
        return ApplicationEvent(
            application=application,
            at=began + timedelta(minutes=number),
            kind="credit_check",
            message="The bureaus answered: Equifax 720, TransUnion 715, Experian 731.",
            request_id=f"{number:032x}",
            data={"scores": [720, 715, 731]},
            key=f"bench/{number}",
        )

    for make, model in ((entry, AuditEntry), (event, ApplicationEvent)):
        for first in range(0, rows // 2, BATCH):
            last = min(first + BATCH, rows // 2)
            model.objects.bulk_create(map(make, range(first, last)), batch_size=500)


def timed(what: str, rows: int, body: Any) -> Any:
    began, cpu = time.perf_counter(), time.process_time()
    found = body()
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    each = 100_000 / rows
    print(
        f"{what:24} {took:7.2f} s   for 100,000 rows {took * each:7.2f} s, of which this process "
        f"computed {cpu * each:7.2f} s",
        flush=True,
    )
    return found


def measure(rows: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.db.models import Sum
    from django.db.models.functions import Length

    from audit import seal_verification, sealing
    from audit.models import AuditEntry, Seal
    from audit.services import entry_record
    from devtools.demo_data import create_demo_data

    call_command("migrate", verbosity=0)
    create_demo_data()
    fill(rows)
    print(f"{rows:,} rows, {connection.vendor}")
    sealed = timed("seal", rows, sealing.seals_make)
    timed("copy into a file", rows, sealing.seals_copy)
    found = timed("verify", rows, seal_verification.seals_verify)
    if found.finding or sealed.rows < rows or found.rows != sealed.rows:
        sys.exit(f"{sealed} and {found}")
    size = Seal.objects.aggregate(size=Sum(Length("document")))["size"]
    print(f"{'size of the seals':24} {size / 1e6:7.2f} MB in {sealed.seals} seals")
    entry_record(action=AuditEntry.objects.all()[0].action, message="One more.")
    began = time.perf_counter()
    sealing.seals_make()
    print(f"{'seal one row more':24} {(time.perf_counter() - began) * 1000:7.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="loanoffice-seals-") as folder:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "loanoffice.settings.local",
            "LOANOFFICE_DATA": folder,
            "LOG_LEVEL": "ERROR",
            "AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:9",
        }
        sys.path.insert(0, str(ROOT))
        measure(rows)


if __name__ == "__main__":
    main()
