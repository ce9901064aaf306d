"""Case 22: one person alone publishes a policy, settles a payout or issues a key that may write.

Each attack goes through the pages, does all that one login can do, and then tries to confirm its
own proposal. The setting for an office of one person does not help where it is about money.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from accounts.models import Proposal
from accounts.proposal_kinds import KINDS
from accounts.roles import Role
from applications.choices import Status
from applications.models import Disbursement
from lending.choices import Outcome
from lending.models import LendingPolicy
from lending.services import policy_current
from partners.models import Partner, PartnerKey
from partners.services.keys import partner_key_issue
from tests import casework
from tests.applications.admin.conftest import page
from tests.applications.admin.test_other_pages import typed_from
from tests.workflows import trouble

pytestmark = pytest.mark.django_db
ALONE = "LOANOFFICE_SINGLE_ADMIN"


@pytest.fixture(params=[False, True], ids=["two", "single-admin"])
def single_admin(request: Any, settings: Any) -> bool:
    setattr(settings, ALONE, request.param)
    return bool(request.param)


@pytest.fixture
def attacker(make_user: Callable[..., User]) -> User:
    """One person with every role but the officer's, and a colleague who does nothing."""
    roles = [role for role in Role if role != Role.LOAN_OFFICER]
    make_user("colleague", *roles)
    return make_user("attacker", *roles)


@pytest.fixture
def session(attacker: User) -> Client:
    client = Client()
    client.force_login(attacker)
    return client


def press_everything(session: Client) -> None:
    """Try to close each proposal in every way."""
    for pk in Proposal.objects.values_list("pk", flat=True):
        for view in ("confirm", "reject", "confirm"):
            session.post(reverse(f"admin:accounts_proposal_{view}", args=[pk]), {"note": "Mine."})


def test_policy_owner_alone_changes_no_threshold_and_pays_nobody_by_it(
    session: Client, officer: User, single_admin: bool
) -> None:
    add = reverse("admin:lending_lendingpolicy_add")
    huge = {
        "approval_threshold": "999999999.00",
        "second_approval_threshold": "999999999.00",
        "authorities-0-ceiling": "9999999999.00",
        "tiers-0-largest_amount": "999999999.00",
    }
    session.post(add, typed_from(session.get(add)) | huge)
    draft = LendingPolicy.objects.get(version=2)
    assert draft.approval_threshold == 999_999_999

    session.post(reverse("admin:lending_lendingpolicy_publish", args=[draft.pk]))
    press_everything(session)

    assert policy_current().version == 1
    application = casework.submit(officer, loan_amount="950000.00", annual_income="900000.00")
    casework.assess(application)
    application.refresh_from_db()
    assert application.outcome != Outcome.APPROVE
    assert not Disbursement.objects.exists()


@pytest.mark.parametrize("press", ["paid", "not_paid"])
def test_operations_alone_settles_no_payout(
    session: Client, officer: User, press: str, single_admin: bool
) -> None:
    application = trouble.payout_unknown(officer).application
    typed = {"note": "As the statement says.", "rail_reference": "R-1"}

    session.post(page(press, application), typed)
    press_everything(session)

    application.refresh_from_db()
    assert application.status == Status.NEEDS_ATTENTION
    assert Disbursement.objects.get().status == "unknown"


def test_partner_manager_alone_makes_no_key_that_may_write(
    session: Client, partner: Partner
) -> None:
    issue = reverse("admin:partners_partner_issue_key", args=[partner.pk])
    session.post(issue, {"scopes": ["applications:read", "applications:write"]})
    press_everything(session)
    assert not PartnerKey.objects.exists()

    old = partner_key_issue(partner=partner)[0]
    session.post(reverse("admin:partners_partnerkey_rotate", args=[old.pk]), {"overlap": "0"})
    press_everything(session)
    assert PartnerKey.objects.get() == old


def test_kinds_that_are_about_money_are_never_confirmed_alone() -> None:
    assert {name for name, kind in KINDS.items() if kind.may_confirm_alone} <= {
        "accounts.grant_roles",
        "partners.issue_key",
        "partners.rotate_key",
    }
