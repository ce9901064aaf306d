"""The other long lists: each page is found in an index, and no list is counted to its end."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from accounts.roles import Role
from applications.models import Disbursement
from devtools.seeding.seed import SeedRequest, seed
from loanoffice.own_work import incidents_unresolved, own_decisions, stuck
from partners.models import Partner
from reviews.models import ReviewDecision, ReviewTask
from tests.applications.admin.conftest import Login
from tests.casework import staff
from tests.plans import SORTS, plans
from tests.sizes import some
from webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

TASKS = "/admin/reviews/reviewtask/"


@pytest.fixture(scope="module")
def auditor(module_rows: None, django_db_blocker: DjangoDbBlocker) -> User:
    with django_db_blocker.unblock():
        return staff("auditor", Role.AUDITOR)


@pytest.fixture(scope="module")
def manager(module_rows: None, django_db_blocker: DjangoDbBlocker) -> User:
    with django_db_blocker.unblock():
        return staff("manager", Role.MANAGER)


@pytest.fixture(scope="module")
def operations(module_rows: None, django_db_blocker: DjangoDbBlocker) -> User:
    with django_db_blocker.unblock():
        return staff("operations", Role.OPERATIONS)


@pytest.fixture(scope="module")
def many(
    auditor: User, manager: User, operations: User, django_db_blocker: DjangoDbBlocker
) -> None:
    """Rows of each list, after the people: with each new person all open tasks are looked at."""
    with django_db_blocker.unblock():
        make_many()


def make_many() -> None:
    seed(SeedRequest(closed=2500, standing=400, open=100), now=timezone.now())
    case = Execution.objects.latest("pk").application
    Incident.objects.bulk_create(
        Incident(
            kind=Incident.Kind.CONTRADICTION,
            key=f"made/{number}",
            application=case,
            sentence="Made up.",
            status=list(Incident.Status)[number % 3],
        )
        for number in range(300)
    )
    OutboxMessage.objects.bulk_create(
        OutboxMessage(
            kind=OutboxMessage.Kind.EMAIL, key=f"made/{number}", status=OutboxMessage.Status.SENT
        )
        for number in range(3000)
    )
    partners = Partner.objects.bulk_create(
        [Partner(pk=777_777, name="Rare"), Partner(name="Common")]
    )
    endpoints = WebhookEndpoint.objects.bulk_create(
        WebhookEndpoint(partner=partner, url=f"https://{partner.pk}.example.com/", secret="x")
        for partner in partners
    )
    told = WebhookEvent.objects.bulk_create(
        WebhookEvent(
            public_id=f"evt_{number}",
            partner=partners[number % 100 > 0],
            application=case,
            type="application.funded" if number % 100 else "application.expired",
            payload="{}",
        )
        for number in range(3000)
    )
    WebhookDelivery.objects.bulk_create(
        WebhookDelivery(
            event=event,
            endpoint=endpoints[number % 100 > 0],
            partner=event.partner,
            event_type=event.type,
            status="delivered" if number % 100 else "failed",
        )
        for number, event in enumerate(told)
    )
    # What is filtered by is rare: of a common value the newest are as quick to find by time.
    waiting = list(PendingCallback.objects.order_by("pk").values_list("pk", flat=True)[:20])
    PendingCallback.objects.filter(pk__in=waiting).update(status="open")
    PendingCallback.objects.exclude(pk__in=waiting).update(status="cancelled")
    unknown = list(Disbursement.objects.order_by("pk").values_list("pk", flat=True)[:20])
    Disbursement.objects.filter(pk__in=unknown).update(status="unknown")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def sorted_both_ways() -> list[tuple[type[Any], str, str]]:
    """Each column that a list can be sorted by, up and down, also within one status."""
    # Without actions there is no column of checkboxes: the first column is 0.
    found = [
        (ReviewTask, "o={due}", "task_by_due"),
        (ReviewTask, "o={due}&status__exact=open", "task_by_status"),
        (ReviewTask, "o={status_shown}", "task_by_status"),
        (ReviewDecision, "o={decided_at}", "decision_by_time"),
        (Disbursement, "o={requested_at}", "disbursement_newest"),
        (Disbursement, "o={status}", "disbursement_by_status"),
        (Execution, "o={queued_at}&status__exact=STOPPED", "execution_by_status"),
        (Execution, "o={status_shown}", "execution_by_status"),
        (PendingCallback, "o={opened_at}", "callback_newest"),
        (PendingCallback, "o={status_shown}", "callback_by_status"),
        (OutboxMessage, "o={status_shown}", "outbox_by_status"),
        (Incident, "o={status_shown}", "incident_by_urgency"),
        (Incident, "o={age}", "incident_newest"),
        (Incident, "o={age}&status__exact=open", "incident_by_status"),
        (WebhookDelivery, "o={created_at}", ""),
        (WebhookDelivery, "o={status_shown}", "webhook_by_status"),
    ]
    rows: list[tuple[type[Any], str, str]] = []
    for model, query, index in found:
        columns = admin.site.get_model_admin(model).list_display
        places = {name: str(at) for at, name in enumerate(columns)}
        rows += [
            (model, query.format(**places), index),
            (model, query.replace("{", "-{").format(**places), index),
        ]
    return rows


@pytest.mark.long
@pytest.mark.parametrize(
    ("model", "query", "index"),
    some(
        [
            (ReviewTask, "", "task_by_due"),
            (ReviewTask, "status__exact=expired", "task_by_status"),
            (ReviewDecision, "", "decision_by_time"),
            (Disbursement, "", "disbursement_newest"),
            (Disbursement, "status__exact=unknown", "disbursement_by_status"),
            (Execution, "", "execution_newest"),
            (Execution, "status__exact=STOPPED", "execution_by_status"),
            (PendingCallback, "", "callback_newest"),
            (PendingCallback, "status__exact=open", "callback_by_status"),
            (OutboxMessage, "status__exact=pending", "outbox_by_status"),
            (OutboxMessage, "kind__exact=start_execution", "outbox_by_kind"),
            (Incident, "", "incident_by_urgency"),
            (WebhookDelivery, "status__exact=failed", "webhook_by_status"),
            *sorted_both_ways(),
            (WebhookDelivery, "event_type__exact=application.expired", "webhook_by_type"),
            (WebhookDelivery, "partner__id__exact=777777", "webhook_by_partner"),
        ],
        of=2,
    ),
)
def test_page_is_found_in_an_index_and_never_sorted(
    many: None,
    login: Login,
    auditor: User,
    model: type[Execution],
    query: str,
    index: str,
) -> None:
    client = login(auditor)
    table = model._meta.db_table
    address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/?{query}"

    asked = plans(table, lambda: client.get(address))

    pages = [how for sql, how in asked if " ORDER BY " in sql]
    assert len(pages) == 1
    assert index in pages[0], pages[0]
    assert not [word for word in SORTS if word in pages[0]], pages[0]
    counts = [sql for sql, _ in asked if sql.startswith("SELECT COUNT(")]
    assert len(counts) == 1
    assert "LIMIT 10001" in counts[0]


def test_incidents_of_one_status_are_found_by_it(many: None, login: Login, auditor: User) -> None:
    client = login(auditor)

    asked = plans(
        Incident._meta.db_table,
        lambda: client.get("/admin/workflows/incident/?status__exact=resolved"),
    )

    assert "incident_by_" in next(how for sql, how in asked if "COUNT(" not in sql)


def test_execution_is_searched_in_the_index_of_names(
    many: None, login: Login, auditor: User
) -> None:
    name = Execution.objects.latest("pk").name
    client = login(auditor)

    asked = plans(
        Execution._meta.db_table,
        lambda: client.get(f"/admin/workflows/execution/?q={name.lower()[:8]}"),
    )

    for _, how in asked:
        assert "name" in how
        assert "SCAN workflows_execution" not in how
        assert "Seq Scan on workflows_execution" not in how


def test_my_approvals_start_with_the_open_tasks(many: None, login: Login, manager: User) -> None:
    client = login(manager)

    asked = plans(ReviewTask._meta.db_table, lambda: client.get(f"{TASKS}?mine=yes"))

    assert len(asked) == 3  # the count, the page, and the badge's count
    for sql, how in asked:
        assert "task_open_by" in how or "task_by_status" in how, how
        # With a subquery for the tasks, or one for the keys, PostgreSQL reads whole tables.
        assert 'IN (SELECT "W0"."id"' not in sql, sql
        assert "partners_partnerkey" not in sql, sql


def test_own_work_on_the_front_page_is_found_in_indexes(
    many: None, manager: User, operations: User
) -> None:
    now = timezone.now()
    reads: tuple[tuple[type[Model], Callable[[], object], str], ...] = (
        (Incident, incidents_unresolved, "incident_(by_status|open)"),
        (Disbursement, lambda: stuck(user=operations, incidents={}), "disbursement_by_status"),
        (OutboxMessage, lambda: stuck(user=operations, incidents={}), "outbox_by_status"),
        (ReviewDecision, lambda: own_decisions(user=manager, now=now), "decision_by_person"),
    )
    for model, read, index in reads:
        asked = plans(model._meta.db_table, read)

        assert re.search(index, asked[-1][1]), asked


def test_empty_search_of_executions_filters_nothing(
    many: None, login: Login, auditor: User
) -> None:
    client = login(auditor)

    assert client.get("/admin/workflows/execution/?q=+").context["cl"].result_count > 2000
