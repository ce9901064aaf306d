"""Seeded applications: complete, reproducible, and none that reconcile takes for lost."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.utils import timezone

from applications.choices import Status
from applications.models import ApplicationEvent, CreditReport, LoanApplication
from devtools.seeding import seed as seeding
from devtools.seeding.seed import SeedRequest, SweptDatabase, seed
from functions.loan_approval import handler
from functions.local.engine import LocalEngine
from functions.local.function import Function
from lending.choices import Outcome
from reviews.models import ReviewTask
from reviews.services import decisions
from tests.workflows.lambda_stub import lambda_stub
from workflows import engine
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback, PeriodicRun
from workflows.outbox import queue
from workflows.reconcile.compare import reconcile
from workflows.reconcile.findings import Report

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ENDED = {Status.FUNDED, Status.DECLINED, Status.WITHDRAWN, Status.EXPIRED}


def test_cases_are_spread_over_the_days_that_were_asked_for(db: None) -> None:
    now = timezone.now()

    seed(SeedRequest(closed=500, days=10), now=now)

    times = LoanApplication.objects.values_list("created_at", flat=True)
    assert now - timedelta(days=10) <= min(times) < now - timedelta(days=9)
    assert now - timedelta(days=1) < max(times) < now


def everything() -> list[tuple[object, ...]]:
    cases = LoanApplication.objects.order_by("pk").values_list(
        "reference", "applicant_name", "loan_amount", "status", "created_at", "partner__name"
    )
    events = ApplicationEvent.objects.order_by("pk").values_list("kind", "at", "actor__username")
    return [*cases, *events, CreditReport.objects.count()]


def test_same_seed_gives_an_empty_database_the_same_cases(db: None) -> None:
    found = []
    for number in (7, 7, 8):
        with transaction.atomic():
            seed(SeedRequest(closed=200, open=5, seed=number), now=NOW)
            found.append(everything())
            transaction.set_rollback(True)

    assert len(found[0]) > 600
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_second_run_adds_others_and_leaves_the_first_alone(db: None) -> None:
    seed(SeedRequest(closed=100), now=NOW)
    before = everything()[:100]

    seed(SeedRequest(closed=100), now=NOW)

    assert everything()[:100] == before
    assert LoanApplication.objects.values("reference").distinct().count() == 200
    assert User.objects.filter(is_active=True).count() == 0


def test_batch_that_was_written_stays_when_a_later_one_fails(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeding, "BATCH", 20)
    heard = []

    def write_line(number: int) -> None:
        heard.append(number)
        if len(heard) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seed(SeedRequest(closed=100), now=NOW, on_batch=write_line)

    assert heard == [20, 20]
    assert LoanApplication.objects.count() == 40
    connection.check_constraints()


def reconciled(data: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """Return the findings of a comparison with an engine that knows no execution."""
    functions = {"loan-approval": Function(handler, durable=True)}
    with LocalEngine(functions=functions, data=data) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", running.url)
        engine.forget_client()
        report = reconcile(everything=True, lag=timedelta(), calls_per_second=1000)
    engine.forget_client()
    return report


def test_reconciler_finds_nothing_about_closed_and_open_cases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(SeedRequest(closed=3000, open=5, seed=4), now=timezone.now())
    incidents = Incident.objects.count()

    report = reconciled(tmp_path, monkeypatch)

    assert report.compared == 5
    assert report.findings == []
    assert Incident.objects.count() == incidents > 0


def test_reconciler_would_hand_over_every_standing_case_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded rows have no executions, so seeding is refused in a database that sweeps."""
    seed(SeedRequest(closed=50, standing=20, seed=4), now=timezone.now())
    standing = set(Execution.objects.filter(ended_at=None).values_list("name", flat=True))

    report = reconciled(tmp_path, monkeypatch)

    assert {finding.name for finding in report.findings} == standing
    assert {finding.what for finding in report.findings} == {"lost by the engine"}
    assert Incident.objects.filter(kind="engine_disagrees").count() == len(standing) > 10
    assert not ReviewTask.objects.filter(status="open").exists()


def test_open_case_starts_as_one_that_a_person_submitted(monkeypatch: pytest.MonkeyPatch) -> None:
    seed(SeedRequest(closed=0, open=3), now=timezone.now())

    with lambda_stub(monkeypatch) as aws:
        assert queue.send_due() == 3

    one = LoanApplication.objects.order_by("pk")[0]
    assert one.status == Status.SUBMITTED
    payload = {"application": one.reference, "attempt": 1, "request_id": ""}
    assert payload in [body for _, _, body in aws.requests]
    assert set(Execution.objects.values_list("status", flat=True)) == {"RUNNING"}


def test_standing_case_waits_for_people_who_may_decide_it(manager: User) -> None:
    now = timezone.now()
    seed(SeedRequest(closed=0, standing=200), now=now)

    mine = decisions.tasks_decidable(user=manager, now=now)
    waiting = LoanApplication.objects.filter(status=Status.PENDING_APPROVAL)
    assert 20 < mine.count() < waiting.count() == ReviewTask.objects.filter(status="open").count()
    task = mine.select_related("application").earliest("pk")
    assert task.application.waiting_on == task.assigned_role == "manager"
    assert task.application.waiting_until == task.expires_at > now
    decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    assert PendingCallback.objects.get(review_task=task).status == "answered"
    assert OutboxMessage.objects.filter(kind="answer_callback").count() == 1


def test_standing_cases_are_refused_where_a_sweep_has_been(db: None) -> None:
    PeriodicRun.objects.create(name="reconcile")

    with pytest.raises(SweptDatabase, match="hand every standing application to Operations"):
        seed(SeedRequest(closed=1, standing=1))

    assert not LoanApplication.objects.exists()


def test_nothing_is_seeded_outside_of_a_demo(db: None, settings: object) -> None:
    settings.LOANOFFICE_DEMO = False

    with pytest.raises(ImproperlyConfigured, match="demo settings only"):
        seed(SeedRequest(closed=1))

    assert not LoanApplication.objects.exists()
