"""The front page's figures of the office and of one's own work."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles import Role
from applications.choices import Status
from applications.services import access_log, intake
from lending.choices import Outcome
from loanoffice.dashboard import DAYS, dashboard_of
from loanoffice.office_figures import WEEKS, office_figures
from loanoffice.own_work import (
    own_applications,
    own_decisions,
    partner_work,
    record_work,
    stuck,
)
from partners.models import Partner, PartnerKey
from partners.services.keys import partner_key_issue
from reviews.models import ReviewTask
from reviews.services import decisions
from tests import casework
from tests.loanoffice.test_dashboard import HOME, as_user, closed
from tests.workflows import trouble
from workflows.models import OutboxMessage

pytestmark = pytest.mark.django_db


def test_office_figures_sum_money_and_count_the_funnel_and_the_weeks(officer: User) -> None:
    for days_ago in (0, 7):
        closed(officer, Status.FUNDED, took=timedelta(minutes=4), days_ago=days_ago)
    closed(officer, Status.DECLINED, took=timedelta(minutes=2))
    casework.waiting_for_manager(officer)

    found = office_figures(now=timezone.now(), days=DAYS)

    assert found.pending == [(Decimal("150000.00"), "CAD")]
    assert found.funded == [(Decimal("300000.00"), "CAD")]
    funnel = found.funnel
    assert (funnel.submitted, funnel.decided, funnel.approved, funnel.funded) == (4, 3, 2, 2)
    this, last, *before = found.weeks
    assert (this.decided, this.approved, this.approval_rate) == (2, 1, 50)
    assert this.median == timedelta(minutes=3)
    assert (last.decided, last.approval_rate, last.median) == (1, 100, timedelta(minutes=4))
    assert [(week.decided, week.approval_rate, week.median) for week in before] == [
        (0, None, None)
    ] * (WEEKS - 2)
    assert this.first.weekday() == 0


def test_officer_sees_the_applications_that_they_entered(
    officer: User, make_user: Callable[..., User]
) -> None:
    other = make_user("officer2", Role.LOAN_OFFICER)
    intake.application_create(user=officer, **casework.ALICE)
    casework.waiting_for_manager(officer)
    closed(officer, Status.DECLINED, took=timedelta(minutes=2))
    casework.submit(other)

    own = dashboard_of(user=officer, now=timezone.now()).own

    assert own is not None
    assert (own.drafts, own.in_work, own.needing_attention, own.decided_today) == (1, 1, 0, 1)
    page = as_user(officer).get(HOME).content.decode()
    assert 'id="own"' in page
    assert "not submitted yet" in page
    listed = as_user(officer).get(
        "/admin/applications/loanapplication/?mine=yes&status__exact=draft"
    )
    assert listed.context["cl"].result_count == 1


def test_each_sees_what_their_role_is_there_for(
    officer: User,
    senior: User,
    analyst: User,
    operations: User,
    auditor: User,
    partner_manager: User,
    partner: Partner,
) -> None:
    """Asked again, decided and due first, stuck, looked at: each in a few statements."""
    casework.waiting_for_manager(officer, loan_amount=120_000)
    asked = casework.waiting_for_manager(officer, loan_amount=600_000)
    ReviewTask.objects.filter(application=asked).update(due_at=timezone.now())
    decisions.task_decide(task=asked.review_tasks.get(), user=senior, outcome=Outcome.APPROVE)
    intake.application_edit(reference=asked.reference, user=officer, phone="613-555-0177")
    trouble.payout_unknown(officer)
    access_log.contact_reveal(application=asked, user=senior)
    now = timezone.now()

    own = dashboard_of(user=officer, now=now).own
    assert own is not None
    assert (own.in_work, own.asked_again, own.needing_attention) == (3, 1, 1)
    assert own.amounts == [(Decimal("745000.00"), "CAD")]
    waiting = dashboard_of(user=senior, now=now).decisions
    assert waiting is not None
    assert (waiting.waiting, waiting.is_all, waiting.decided_today) == (2, True, 1)
    assert waiting.amounts == [(Decimal("720000.00"), "CAD")]
    assert waiting.first is not None
    assert waiting.first.application == asked
    nothing = dashboard_of(user=analyst, now=now).decisions
    assert (nothing and nothing.waiting, nothing and nothing.first) == (0, None)
    found = dashboard_of(user=operations, now=now).stuck
    assert found is not None
    assert found.incidents == [("payout_unknown", "Payout outcome unknown", 1)]
    assert (found.payouts, found.payout_amounts) == (1, [(Decimal("25000.00"), "CAD")])
    assert found.messages_given_up == 0
    assert found.messages_pending == OutboxMessage.objects.filter(status="pending").count() > 0
    for days, revoked in ((3, None), (3, now), (300, None)):
        key, _ = partner_key_issue(partner=partner, scopes=("applications:read",))
        PartnerKey.objects.filter(pk=key.pk).update(
            expires_at=now + timedelta(days=days), revoked_at=revoked
        )
    kept = dashboard_of(user=partner_manager, now=now).partners
    assert kept is not None
    assert (kept.keys_expiring, kept.endpoints_disabled) == (1, 0)
    record = dashboard_of(user=auditor, now=now).record
    assert record is not None
    assert ("revealed", "Reveals", 1) in record.counts
    others = dashboard_of(user=senior, now=now)
    assert (others.own, others.stuck, others.record, others.policies) == (None, None, None, None)
    # Each costs a few statements, for its role alone; the delegations are one of the decisions'.
    for read, user, most in (
        (lambda user: own_applications(user=user, now=now), officer, 3),
        (lambda user: own_decisions(user=user, now=now), senior, 4),
        (lambda user: stuck(user=user, incidents={}), operations, 2),
        (lambda user: record_work(user=user, now=now), auditor, 1),
        (lambda user: partner_work(user=user, now=now), partner_manager, 2),
        (lambda user: partner_work(user=user, now=now), auditor, 0),
        (lambda user: stuck(user=user, incidents={}), auditor, 0),
        (lambda user: record_work(user=user, now=now), operations, 0),
    ):
        with CaptureQueriesContext(connection) as captured:
            read(user)
        assert len(captured) <= most, [each["sql"] for each in captured]


def test_policy_owner_sees_the_policy_in_force_and_the_drafts(
    make_user: Callable[..., User], officer: User
) -> None:
    owner = make_user("policy", Role.POLICY_OWNER)

    work = dashboard_of(user=owner, now=timezone.now()).policies

    assert work is not None
    assert work.in_force is not None
    assert (work.in_force.version, work.drafts) == (1, 0)
    assert "Policy version 1" in as_user(owner).get(HOME).content.decode()
    assert dashboard_of(user=officer, now=timezone.now()).policies is None
    assert dashboard_of(user=owner, now=timezone.now()).own is None
