"""Seeded applications that are whole: every row that the product would have written is there."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Count, F, Q
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from applications.choices import Status
from applications.models import Disbursement, LoanApplication, LoanOffer, RiskAssessment
from devtools.seeding.seed import SeedRequest, seed
from lending.choices import Outcome
from reviews.models import ReviewDecision, ReviewTask
from workflows.models import Execution, Incident

pytestmark = pytest.mark.django_db

ENDED = {Status.FUNDED, Status.DECLINED, Status.WITHDRAWN, Status.EXPIRED}


@pytest.fixture(scope="module")
def seeded(module_rows: None, django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock():
        seed(SeedRequest(closed=3000, seed=4), now=timezone.now())


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


@pytest.mark.parametrize("status", sorted(ENDED | {Status.NEEDS_ATTENTION}))
def test_page_of_a_seeded_case_can_be_drawn(seeded: None, auditor: User, status: Status) -> None:
    client = Client()
    client.force_login(auditor)
    application = ended(status)[0]

    page = client.get(reverse("admin:applications_loanapplication_change", args=[application.pk]))

    assert page.status_code == 200
    assert application.reference in page.content.decode()
