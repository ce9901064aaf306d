"""The front page's figures of the office and of one's own work."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.roles import Role
from applications.choices import Status
from applications.services import intake
from loanoffice.dashboard import DAYS, dashboard_of
from loanoffice.office_figures import WEEKS, office_figures
from tests import casework
from tests.loanoffice.test_dashboard import HOME, as_user, closed

pytestmark = pytest.mark.django_db


def test_office_figures_sum_money_and_count_the_funnel_and_the_weeks(officer: User) -> None:
    for days_ago in (0, 7):
        closed(officer, Status.FUNDED, took=timedelta(minutes=4), days_ago=days_ago)
    closed(officer, Status.DECLINED, took=timedelta(minutes=2))
    casework.waiting_for_manager(officer)

    found = office_figures(now=timezone.now(), days=DAYS)

    assert found.pending.amounts == [(Decimal("150000.00"), "CAD")]
    assert found.funded.amounts == [(Decimal("300000.00"), "CAD")]
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
