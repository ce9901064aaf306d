"""Measure the milliseconds of CPU that the pages of the admin take, with many applications.

    python -m benchmarks.admin_list [--database both] [--applications 1000 10000 50000]

Fills a temporary database step by step, and requests each page a few times at each of these
numbers, in one thread with Django's test client, templates included. Up to 20,000 of the
applications wait for a person, of which a twentieth is sent back with a question. Those who ask
keep 20 filters of the list of applications and have a notification for every tenth application. The
figure is the CPU of this process and of
PostgreSQL's: on a machine that does something else, too, the clock says little. Ends with 1 when
a page takes more than its target, and shows how each grows: an exponent of 0 is not at all, of 1
as the table does. ``LOANOFFICE_BENCH_APPLICATIONS`` is the last number when no argument says more;
a million takes some minutes to fill.
"""

import argparse
import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from benchmarks.support.office import office
from benchmarks.support.processes import DATABASES, Database, database, on_each_database
from benchmarks.support.results import record

LIST = "/admin/applications/loanapplication/"
TASKS = "/admin/reviews/reviewtask/"
MOST = 5_000_000
LARGE = 100_000  # more than these are a record of their own, beside that of ``make bench``
MOST_OPEN = 20_000  # tasks that wait for a person
NOTIFIED = 0.1  # notifications of one person, for each application
SENT_BACK = 0.05  # the share of open tasks with a question that has no answer yet
PEOPLE = ("manager", "auditor")
OFFICER = "officer"  # asked to answer the questions
OPEN = 0.4  # the share of applications that wait, up to so many
MY_APPROVALS = "my approvals"
TARGET = 60.0  # milliseconds of CPU
TARGET_OF_MY_APPROVALS = 100.0
SUBMISSION = "a submission"
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
        "by status": f"{LIST}?o=4",
        "by waiting": f"{LIST}?o=6",
        "mine": f"{LIST}?mine=yes",
        "sent back": f"{LIST}?sent_back=open",
        "counts beside the filters": f"{LIST}?_facets=True",
        "status and name": f"{LIST}?status__exact=declined&q=s",
        "status and partner": f"{LIST}?status__exact=withdrawn&partner__id__exact={partner}",
        "status and step": f"{LIST}?status__exact=funded&current_step__exact=risk_assessment",
        "status and past 30 days": f"{LIST}?status__exact=declined&past=30",
        MY_APPROVALS: f"{TASKS}?mine=yes",
        "review tasks by status": f"{TASKS}?o=5",
        "review tasks by due time": f"{TASKS}?o=6",
        "notifications": "/admin/notifications/",
        "badge and bell": "/admin/open-tasks/",
    }
    return found | {f"list of {other.partition('/')[2]}": f"/admin/{other}/" for other in OTHERS}


def pages_of_an_officer() -> dict[str, str]:
    """Return the name and address of the pages that ask for an officer's own questions."""
    return {
        "sent back, to an officer": f"{LIST}?sent_back=mine",
        "an officer's front page": "/admin/",
    }


def searches(example: Any) -> dict[str, tuple[str, str]]:
    """Return the address and the term of each search in the header of the pages."""
    page, typed = "/admin/search/", "/admin/search/suggestions/"
    surname = example.applicant_name.split()[-1]
    return {
        "search: reference": (page, example.reference.lower()),
        "search: typed letters": (typed, example.applicant_name[:3]),
        "search: whole name": (page, example.applicant_name),
        "search: surname": (page, surname),
        "search: nobody": (page, "Zzyzx"),
        "search: partner's own name": (page, example.external_id or "none-1"),
        "search: phone": (page, example.phone or "+1 416 555 0100"),
        "search: e-mail": (page, example.email or "nobody@example.com"),
    }


def cpu_of(body: Callable[[], object], times: int, served: Database) -> float:
    """Return the milliseconds of CPU of one call: the least here, and the server's mean.

    Whatever else the machine does only adds to it. The first call is not counted.
    """
    body()
    taken, spent, began = [], served.cpu(), time.monotonic()
    while len(taken) < times and time.monotonic() - began < 20:
        before = time.process_time()
        body()
        taken.append(time.process_time() - before)
    return (min(taken) + (served.cpu() - spent) / len(taken)) * 1000


def fill(count: int) -> None:
    """Bring the database to ``count`` applications, some of which wait for a person."""
    from applications.models import LoanApplication
    from devtools.seeding import bulk_insert, row_builder, seed
    from reviews.models import ReviewTask

    missing = count - LoanApplication.objects.count()
    waiting = ReviewTask.objects.filter(status="open").count()
    standing = max(0, min(MOST_OPEN, int(count * OPEN)) - waiting)
    began = time.perf_counter()
    written = seed.seed(seed.SeedRequest(closed=max(0, missing - standing), standing=standing))
    print(
        f"{count:,} applications: {written:,} rows written in {time.perf_counter() - began:.0f} s"
    )
    bulk_insert.analyze(row_builder.ORDER)


def fill_own(count: int) -> None:
    """Give the people who ask their saved filters, and notifications that nobody has read."""
    from django.contrib.auth.models import User

    from core import own_lists
    from devtools.seeding import bulk_insert
    from reviews.choices import NotificationKind
    from reviews.models import Notification

    table = bulk_insert.BulkInsert(Notification)
    for user in User.objects.filter(username__in=PEOPLE):
        there = Notification.objects.filter(user=user).count()
        for number in range(there, int(count * NOTIFIED)):
            kind = NotificationKind.PROPOSAL_CLOSED
            table.put(
                {
                    "user_id": user.pk,
                    "kind": kind,
                    "key": f"{number}/{user.pk}",
                    "sentence": "Your proposal is confirmed.",
                    "path": "/admin/accounts/proposal/",
                }
            )
        for number in range(own_lists.MOST_FILTERS):
            saved = own_lists.SavedFilter(f"Filter {number}", f"amount={number % 6}&past=30")
            own_lists.filter_save(user=user, label="applications.loanapplication", saved=saved)
    table.write()
    bulk_insert.analyze([Notification])


def fill_questions() -> None:
    """Send some of the open tasks back with a question, as a manager does."""
    from django.contrib.auth.models import User
    from django.utils import timezone

    from devtools.seeding import bulk_insert
    from reviews.models import InformationRequest, ReviewTask

    manager = User.objects.get(username="manager")
    waiting = ReviewTask.objects.filter(status="open").order_by("-pk")
    missing = int(waiting.count() * SENT_BACK) - waiting.filter(sent_back_at__isnull=False).count()
    chosen = waiting.filter(sent_back_at__isnull=True).values_list("pk", flat=True)
    tasks = list(chosen[: max(0, missing)])
    table = bulk_insert.BulkInsert(InformationRequest)
    for task in tasks:
        table.put(
            {
                "task_id": task,
                "number": 1,
                "message": "Please upload the pay slip of last month.",
                "asked_by_id": manager.pk,
            }
        )
    table.write()
    ReviewTask.objects.filter(pk__in=tasks).update(sent_back_at=timezone.now())
    bulk_insert.analyze([InformationRequest, ReviewTask])


def submit() -> None:
    """Submit an application that nothing is sent for."""
    from django.contrib.auth.models import User

    from applications.services import intake
    from workflows.outbox import queue

    with queue.held_back():
        intake.application_create_and_submit(
            user=User.objects.get(username="officer"),
            applicant_name="Alice Johnson",
            sin_last4="1111",
            loan_amount=Decimal("150000.00"),
        )


def measure(count: int, times: int, served: Database) -> dict[str, float]:
    """Return the CPU of each page, of the slower of two people."""
    from django.contrib.auth.models import User
    from django.test import Client

    from applications.models import LoanApplication
    from partners.models import Partner

    example = LoanApplication.objects.filter(status="funded").order_by("pk")[count // 100]
    partner = Partner.objects.order_by("name").first()

    def client_of(username: str) -> Any:
        client = Client(headers={"host": "localhost"})
        client.force_login(User.objects.get(username=username))
        return client

    clients = [client_of(username) for username in PEOPLE]
    officer = client_of(OFFICER)

    def get(client: Any, address: str) -> None:
        response = client.get(address, follow=True)
        assert response.status_code == 200, f"{address}: {response.status_code}"

    found = {}
    for name, address in pages(example, partner.pk if partner else 0).items():
        found[name] = max(cpu_of(lambda c=c, a=address: get(c, a), times, served) for c in clients)
    for name, address in pages_of_an_officer().items():
        found[name] = cpu_of(lambda a=address: get(officer, a), times, served)

    def search(client: Any, address: str, term: str) -> None:
        response = client.post(address, {"term": term}, follow=True)
        assert response.status_code == 200, f"{address}: {response.status_code}"

    for name, sent in searches(example).items():
        found[name] = max(cpu_of(lambda c=c, s=sent: search(c, *s), times, served) for c in clients)
    return found | {SUBMISSION: cpu_of(submit, times, served)}


def exponent(sizes: list[int], taken: list[float]) -> float:
    """Return the slope of the straight line through the logarithms."""
    if len(sizes) < 2:
        return 0.0
    return statistics.linear_regression(
        list(map(math.log, sizes)), list(map(math.log, taken))
    ).slope


def run(vendor: str, sizes: list[int], times: int) -> bool:
    """Measure on one database; return whether each page keeps within its target."""
    with database(vendor) as served, office(served, with_engine=False):
        rows: dict[str, list[float]] = {}
        for count in sizes:
            fill(count)
            fill_own(count)
            fill_questions()
            for name, took in measure(count, times, served).items():
                rows.setdefault(name, []).append(took)
    print(f"{vendor} {served.version}, milliseconds of CPU")
    print(f"{'':30}" + "".join(f"{count:>11,}" for count in sizes) + f"{'exponent':>10}")
    late = {}
    for name, taken in rows.items():
        target = TARGET_OF_MY_APPROVALS if name == MY_APPROVALS else TARGET
        over = f"  over {target:.0f}" if taken[-1] > target else ""
        line = "".join(f"{took:11.1f}" for took in taken)
        print(f"{name:30}{line}{exponent(sizes, taken):10.2f}{over}")
        if over:
            late[name] = taken[-1]
    ordinary = {
        name: taken for name, taken in rows.items() if name not in {MY_APPROVALS, SUBMISSION}
    }
    grows = {name: exponent(sizes, taken) for name, taken in rows.items()}
    slowest = max(ordinary, key=lambda name: ordinary[name][-1])
    print(f"the slowest of the others: {slowest}")
    figures = {
        "my approvals, ms": rows[MY_APPROVALS][-1],
        "other pages: median, ms": statistics.median(taken[-1] for taken in ordinary.values()),
        "other pages: slowest, ms": ordinary[slowest][-1],
        "pages over their target": len(late),
        "pages": len(ordinary) + 1,
        "a submission, ms": rows[SUBMISSION][-1],
        "searches in the header: slowest, ms": max(
            taken[-1] for name, taken in rows.items() if name.startswith("search")
        ),
        "growth: my approvals": grows[MY_APPROVALS],
        "growth: other pages, median": statistics.median(grows[name] for name in ordinary),
        "growth: other pages, most": max(grows[name] for name in ordinary),
        "growth: a submission": grows[SUBMISSION],
    }
    sizes_told = ", ".join(f"{count:,}" for count in sizes)
    setting = f"{vendor} {served.version}, {sizes_told} applications, up to 20,000 open tasks"
    kept = f"admin_list {vendor}{' large' if sizes[-1] > LARGE else ''}"
    record(kept, figures, setting=setting)
    return not late


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    last = int(os.environ.get("LOANOFFICE_BENCH_APPLICATIONS", "50000"))
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="both")
    parser.add_argument("--applications", type=int, nargs="+", default=[1000, 10_000, last])
    parser.add_argument("--times", type=int, default=5, help="how often each page is asked")
    given = parser.parse_args()
    if given.database == "both":
        sys.exit(on_each_database("benchmarks.admin_list"))
    sizes = sorted({max(1000, min(count, MOST)) for count in given.applications})
    if not run(given.database, sizes, max(1, min(given.times, 50))):
        sys.exit("A page takes more than its target.")


if __name__ == "__main__":
    main()
