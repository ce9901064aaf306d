"""What is seeded: whole cases, repeatable, and nothing that the product takes for lost."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.db.models import Count, F, Q
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from applications.models import (
    ApplicationEvent,
    CreditReport,
    Disbursement,
    LoanApplication,
    LoanOffer,
    ReviewDecision,
    ReviewTask,
    RiskAssessment,
)
from applications.services import review
from applications.vocabulary import Outcome, Status
from functions.loan_approval import handler
from functions.local.engine import Function, LocalEngine
from loanoffice.seeding import seed as seeding
from loanoffice.seeding.seed import SweptDatabase, Wanted, seed
from tests.workflows.lambda_stub import lambda_stub
from workflows import engine, outbox
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback, PeriodicRun
from workflows.reconcile import Report, reconcile

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ENDED = {Status.FUNDED, Status.DECLINED, Status.WITHDRAWN, Status.EXPIRED}


@pytest.fixture
def seeded(db: None) -> None:
    seed(Wanted(closed=3000, seed=4), now=timezone.now())


def ended(status: Status) -> "list[LoanApplication]":
    return list(LoanApplication.objects.filter(status=status))


def test_every_constraint_and_reference_holds(seeded: None) -> None:
    connection.check_constraints()
    for application in LoanApplication.objects.order_by("pk")[:300]:
        application.full_clean(exclude=["created_by", "submitted_by", "last_edited_by"])


def test_closed_cases_have_ended_in_every_way_and_most_are_funded(seeded: None) -> None:
    counted = dict(LoanApplication.objects.values_list("status").annotate(n=Count("pk")).order_by())

    assert set(counted) == {*ENDED, Status.DRAFT, Status.NEEDS_ATTENTION}
    assert counted[Status.FUNDED] > 1500
    assert counted[Status.DECLINED] > 300
    drafts = LoanApplication.objects.filter(status=Status.DRAFT)
    assert not drafts.exclude(attempt=0, submitted_at=None, closed_at=None).exists()
    closed = LoanApplication.objects.filter(status__in=ENDED)
    assert not closed.filter(Q(closed_at=None) | Q(closed_at__gt=timezone.now())).exists()
    assert not closed.filter(closed_at__lt=F("submitted_at")).exists()
    assert not closed.exclude(waiting_on="").exists()


def test_funded_case_has_an_offer_and_one_payout_of_its_amount(seeded: None) -> None:
    funded = LoanApplication.objects.filter(status=Status.FUNDED)

    paid = Disbursement.objects.filter(
        application__in=funded, status="paid", amount=F("application__loan_amount")
    )
    assert paid.count() == Disbursement.objects.count() == funded.count()
    assert LoanOffer.objects.filter(application__in=funded).count() == funded.count()
    assert not funded.exclude(outcome=Outcome.APPROVE).exists()
    assert not funded.filter(Q(policy=None) | Q(decided_at=None)).exists()


def test_declined_case_says_why_as_the_policy_or_a_person_did(seeded: None) -> None:
    by_policy = 0
    for application in ended(Status.DECLINED):
        assert application.outcome == Outcome.DECLINE
        assert application.decision_reasons
        judged = RiskAssessment.objects.get(application=application)
        if judged.outcome == Outcome.DECLINE:
            by_policy += 1
            assert application.decision_reasons == judged.reasons
        else:
            said = ReviewDecision.objects.get(task__application=application, outcome="decline")
            assert said.reason in application.decision_reasons[0]["text"]
    assert 0 < by_policy < len(ended(Status.DECLINED))


def test_approved_task_has_as_many_deciders_as_it_needs_and_none_who_typed_it(
    seeded: None,
) -> None:
    approved = ReviewTask.objects.filter(status="decided", outcome="approve").annotate(
        given=Count("decisions__decided_by", distinct=True)
    )

    assert approved.filter(approvals_required=2).exists()
    assert not approved.exclude(given=F("approvals_required")).exists()
    assert not ReviewDecision.objects.filter(task__application__created_by=F("decided_by")).exists()
    assert not ReviewTask.objects.filter(status="open").exists()


def test_every_submitted_case_has_the_mirror_of_its_execution(seeded: None) -> None:
    submitted = LoanApplication.objects.exclude(attempt=0)

    assert Execution.objects.count() == submitted.count()
    assert not Execution.objects.filter(ended_at=None).exists()
    one = Execution.objects.select_related("application").latest("pk")
    assert one.name == f"{one.application.reference}-1"
    stuck = LoanApplication.objects.filter(status=Status.NEEDS_ATTENTION)
    assert stuck.exists()
    assert set(Incident.objects.values_list("application", "status")) == {
        (application.pk, "open") for application in stuck
    }
    assert set(stuck.values_list("executions__status", flat=True)) == {"FAILED"}


def test_names_come_with_accents_and_in_other_scripts(seeded: None) -> None:
    names = LoanApplication.objects.values_list("applicant_name", flat=True)

    assert any("é" in name for name in names)
    assert any(name[0] > "\u0400" for name in names)
    assert len(set(names)) > 2000


def test_cases_are_spread_over_the_days_that_were_asked_for(db: None) -> None:
    now = timezone.now()

    seed(Wanted(closed=500, days=10), now=now)

    times = LoanApplication.objects.values_list("created_at", flat=True)
    assert now - timedelta(days=10) <= min(times) < now - timedelta(days=9)
    assert now - timedelta(days=1) < max(times) < now


def everything() -> list[tuple[object, ...]]:
    cases = LoanApplication.objects.order_by("pk").values_list(
        "reference", "applicant_name", "loan_amount", "status", "created_at", "partner__name"
    )
    events = ApplicationEvent.objects.order_by("pk").values_list("kind", "at", "actor__username")
    return [*cases, *events, CreditReport.objects.count()]  # type: ignore[list-item]


def test_same_seed_gives_an_empty_database_the_same_cases(db: None) -> None:
    found = []
    for number in (7, 7, 8):
        with transaction.atomic():
            seed(Wanted(closed=200, open=5, seed=number), now=NOW)
            found.append(everything())
            transaction.set_rollback(True)

    assert len(found[0]) > 600
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_second_run_adds_others_and_leaves_the_first_alone(db: None) -> None:
    seed(Wanted(closed=100), now=NOW)
    before = everything()[:100]

    seed(Wanted(closed=100), now=NOW)

    assert everything()[:100] == before
    assert LoanApplication.objects.values("reference").distinct().count() == 200
    assert User.objects.filter(is_active=True).count() == 0


def test_batch_that_was_written_stays_when_a_later_one_fails(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeding, "BATCH", 20)
    heard = []

    def say(number: int) -> None:
        heard.append(number)
        if len(heard) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seed(Wanted(closed=100), now=NOW, say=say)

    assert heard == [20, 20]
    assert LoanApplication.objects.count() == 40
    connection.check_constraints()


def reconciled(data: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """What comparing everything with an engine finds that has never heard of any case."""
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
    seed(Wanted(closed=3000, open=5, seed=4), now=timezone.now())
    incidents = Incident.objects.count()

    report = reconciled(tmp_path, monkeypatch)

    assert report.compared == 5
    assert report.findings == []
    assert Incident.objects.count() == incidents > 0


def test_reconciler_would_hand_over_every_standing_case_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why they are refused where a sweep has been."""
    seed(Wanted(closed=50, standing=20, seed=4), now=timezone.now())
    standing = set(Execution.objects.filter(ended_at=None).values_list("name", flat=True))

    report = reconciled(tmp_path, monkeypatch)

    assert {finding.name for finding in report.findings} == standing
    assert {finding.what for finding in report.findings} == {"lost by the engine"}
    assert Incident.objects.filter(kind="engine_disagrees").count() == len(standing) > 10
    assert not ReviewTask.objects.filter(status="open").exists()


def test_open_case_starts_as_one_that_a_person_submitted(monkeypatch: pytest.MonkeyPatch) -> None:
    seed(Wanted(closed=0, open=3), now=timezone.now())

    with lambda_stub(monkeypatch) as aws:
        assert outbox.send_due() == 3

    one = LoanApplication.objects.order_by("pk")[0]
    assert one.status == Status.SUBMITTED
    payload = {"application": one.reference, "attempt": 1, "request_id": ""}
    assert payload in [body for _, _, body in aws.requests]
    assert set(Execution.objects.values_list("status", flat=True)) == {"RUNNING"}


def test_standing_case_waits_for_people_who_may_decide_it(manager: User) -> None:
    now = timezone.now()
    seed(Wanted(closed=0, standing=200), now=now)

    mine = review.tasks_decidable(user=manager, now=now)
    waiting = LoanApplication.objects.filter(status=Status.PENDING_APPROVAL)
    assert 20 < mine.count() < waiting.count() == ReviewTask.objects.filter(status="open").count()
    task = mine.select_related("application").earliest("pk")
    assert task.application.waiting_on == task.assigned_role == "manager"
    assert task.application.waiting_until == task.expires_at > now
    review.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    assert PendingCallback.objects.get(review_task=task).status == "answered"
    assert OutboxMessage.objects.filter(kind="answer_callback").count() == 1


def test_standing_cases_are_refused_where_a_sweep_has_been(db: None) -> None:
    PeriodicRun.objects.create(name="reconcile")

    with pytest.raises(SweptDatabase, match="hand every standing case to Operations"):
        seed(Wanted(closed=1, standing=1))

    assert not LoanApplication.objects.exists()


def test_nothing_is_seeded_outside_of_a_demo(db: None, settings: object) -> None:
    settings.LOANOFFICE_DEMO = False  # type: ignore[attr-defined]

    with pytest.raises(ImproperlyConfigured, match="demo settings only"):
        seed(Wanted(closed=1))

    assert not LoanApplication.objects.exists()


@pytest.mark.parametrize("status", sorted(ENDED | {Status.NEEDS_ATTENTION}))
def test_page_of_a_seeded_case_can_be_drawn(seeded: None, auditor: User, status: Status) -> None:
    client = Client()
    client.force_login(auditor)
    application = ended(status)[0]

    page = client.get(reverse("admin:applications_loanapplication_change", args=[application.pk]))

    assert page.status_code == 200
    assert application.reference in page.content.decode()
