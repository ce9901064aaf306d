"""Reconcile finds every funded application whose record lacks a decision that it needed."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from applications.models import LoanApplication, RiskAssessment
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions
from tests import casework
from workflows.callbacks import pending
from workflows.models import Incident, PendingCallback
from workflows.reconcile.findings import Comparison, Finding, Pace, Report, no_progress
from workflows.reconcile.funded import compare_funded
from workflows.steps import offer, payout

pytestmark = pytest.mark.django_db

WHAT = "funded without its decisions"


def compared(*, everything: bool = True, dry_run: bool = False) -> list[Finding]:
    now = timezone.now()
    comparison = Comparison(
        report=Report(dry_run=dry_run),
        pace=Pace(1e9),
        now=now,
        lag=timedelta(0),
        on_progress=no_progress,
        on_finding=no_progress,
    )
    for _ in compare_funded(
        comparison, None, since=None if everything else now - timedelta(days=1)
    ):
        pass
    return comparison.report.findings


def funded(officer: User, manager: User, analyst: User) -> LoanApplication:
    """An application that needed a manager, a risk analyst and its applicant."""
    casework.change_policies(offer_acceptance_required=True)
    application = casework.submit(officer, loan_amount=Decimal(150_000))
    run = casework.run_of(application)
    casework.assess(application)
    _approve(application, TaskKind.MANAGER_APPROVAL, manager)
    casework.pass_fraud_check(application, "flagged")
    _approve(application, TaskKind.FRAUD_REVIEW, analyst)
    assert offer.offer_begin(run) is None
    casework.make_offer(run)
    _approve(application, TaskKind.OFFER_ACCEPTANCE, officer)
    assert isinstance(payout.disbursement_request(run), payout.PayoutOrder)
    payout.disbursement_settle(run, rail_reference="RAIL-1")
    application.refresh_from_db()
    return application


def _approve(application: LoanApplication, kind: TaskKind, user: User) -> None:
    task = casework.ask(application, kind)
    decisions.task_decide(task=task, user=user, outcome=Outcome.APPROVE)


@pytest.fixture
def application(officer: User, manager: User, analyst: User) -> LoanApplication:
    return funded(officer, manager, analyst)


def test_application_with_all_its_decisions_is_no_finding(application: LoanApplication) -> None:
    assert application.status == "funded"
    assert compared() == []
    assert not Incident.objects.exists()


@pytest.mark.parametrize("kind", TaskKind)
def test_funded_without_a_decision_is_found_once_and_is_an_incident(
    application: LoanApplication, kind: TaskKind
) -> None:
    with casework.triggers_lifted():  # as the owner of the database could
        ReviewDecision.objects.filter(task__kind=kind).delete()

    assert [finding.what for finding in compared(dry_run=True)] == [WHAT]
    assert not Incident.objects.exists()
    (finding,) = compared()
    assert (finding.reference, finding.repair) == (application.reference, "incident")
    incident = Incident.objects.get()
    assert (incident.kind, incident.application) == ("not_approved", application)
    named = {"manager_approval": "a manager approval", "fraud_review": "a fraud review"}
    assert named.get(kind, "an offer acceptance") in incident.sentence
    assert compared() == []
    Incident.objects.update(status=Incident.Status.RESOLVED)
    assert compared() == []
    assert Incident.objects.count() == 1


@pytest.mark.parametrize("status", ["open", "expired", "cancelled"])
def test_funded_past_a_task_that_is_not_decided_is_found(
    application: LoanApplication, status: str
) -> None:
    ReviewTask.objects.filter(kind="manager_approval").update(status=status, outcome="")
    assert [finding.what for finding in compared()] == [WHAT]


def test_funded_without_an_answer_of_the_fraud_check_is_found(
    application: LoanApplication,
) -> None:
    PendingCallback.objects.filter(name="fraud_check-1").update(
        status="expired", answer=None, flagged_at=None
    )
    assert [finding.what for finding in compared()] == [WHAT]
    assert "an answer of the fraud check" in Incident.objects.get().sentence


@pytest.mark.parametrize("outcome", ["decline", None])
def test_funded_without_an_assessment_that_accepts_it_is_found(
    application: LoanApplication, outcome: str | None
) -> None:
    rows = RiskAssessment.objects.all()
    if outcome is None:
        rows.delete()
    else:
        rows.update(outcome=outcome)
    assert [finding.what for finding in compared()] == [WHAT]


def test_flag_after_the_payout_has_its_own_incident_and_is_no_second_one(officer: User) -> None:
    late = casework.funded(officer)
    callback = PendingCallback.objects.get(execution__application=late)
    pending.callback_receive(callback_id=callback.callback_id, answer={"result": "flagged"})
    kinds = ["contradiction", "flagged_after_payout"]
    assert sorted(late.incidents.values_list("kind", flat=True)) == kinds
    assert compared() == []


def test_flag_after_the_payout_does_not_hide_a_missing_decision(
    application: LoanApplication,
) -> None:
    casework_flag = PendingCallback.objects.get(name="fraud_check-1")
    Incident.objects.create(
        kind="flagged_after_payout",
        key=f"flagged/{casework_flag.pk}",
        application=application,
        sentence="Flagged.",
    )
    ReviewTask.objects.filter(kind="manager_approval").update(status="open", outcome="")
    assert [finding.what for finding in compared()] == [WHAT]


def test_by_default_only_the_last_day_is_compared(application: LoanApplication) -> None:
    ReviewTask.objects.filter(kind="manager_approval").update(status="open", outcome="")
    LoanApplication.objects.update(closed_at=timezone.now() - timedelta(days=2))
    assert compared(everything=False) == []
    assert [finding.what for finding in compared()] == [WHAT]


def test_number_of_statements_does_not_grow_with_the_applications(
    officer: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(2):
        casework.funded(officer)
        with django_assert_num_queries(4):
            assert compared() == []
