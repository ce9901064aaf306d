"""Every screen that no path of its own leads through: what is wrong with it is named."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import Page, expect

from accounts.roles import Role
from lending.models import LendingPolicy
from partners.models import Partner
from partners.services import keys
from tests import casework
from tests.sizes import LONG, some

pytestmark = pytest.mark.django_db(transaction=True)

Visit = Callable[..., Page]
Inspect = Callable[[Page, str], None]


@pytest.mark.long
def test_logins_partners_and_policies_are_drawn_without_a_complaint(
    visit: Visit, make_user: Callable[..., User], partner: Partner, inspect: Inspect
) -> None:
    officer = make_user("officer", Role.LOAN_OFFICER)
    make_user("root", *Role, is_superuser=True)
    casework.funded(officer, partner=partner)
    key, _ = keys.partner_key_issue(partner=partner, label="Branch office")
    policy = LendingPolicy.objects.get(version=1)
    draft = LendingPolicy.objects.create(version=2)
    draft.authorities.create(role=Role.MANAGER.key, ceiling=300_000)
    page = visit("root", at="")
    pages = {
        "users": "/admin/auth/user/",
        "user": f"/admin/auth/user/{officer.pk}/change/",
        "user-access": f"/admin/auth/user/{officer.pk}/access/",
        "user-add": "/admin/auth/user/add/",
        "user-password": f"/admin/auth/user/{officer.pk}/password/",
        "roles": "/admin/auth/group/",
        "role": f"/admin/auth/group/{Group.objects.get(name=Role.MANAGER).pk}/change/",
        "partners": "/admin/partners/partner/",
        "partner-add": "/admin/partners/partner/add/",
        "partner": f"/admin/partners/partner/{partner.pk}/change/",
        "partner-key-issue": f"/admin/partners/partner/{partner.pk}/issue-key/",
        "partner-keys": "/admin/partners/partnerkey/",
        "partner-key-add": "/admin/partners/partnerkey/add/",
        "partner-key": f"/admin/partners/partnerkey/{key.pk}/change/",
        "partner-key-rotate": f"/admin/partners/partnerkey/{key.pk}/rotate/",
        "partner-key-expire": f"/admin/partners/partnerkey/{key.pk}/expire/",
        "policy-published": f"/admin/lending/lendingpolicy/{policy.pk}/change/",
        "policy-draft": f"/admin/lending/lendingpolicy/{draft.pk}/change/",
        "policy-publish": f"/admin/lending/lendingpolicy/{draft.pk}/publish/",
        "offers": "/admin/applications/loanoffer/",
        "disbursements": "/admin/applications/disbursement/",
        "callbacks": "/admin/workflows/pendingcallback/",
        "password-change": "/admin/password_change/",
        "app": "/admin/applications/",
    }
    for name, where in some(pages.items(), of=5):
        page.goto(where)
        inspect(page, name)


def test_front_page_of_an_administrator_is_drawn_without_a_complaint(
    visit: Visit, make_user: Callable[..., User], inspect: Inspect
) -> None:
    make_user("root", is_superuser=True)
    page = visit("root")

    expect(page.locator("#administration")).to_be_visible()
    inspect(page, "administration")


@pytest.mark.long
def test_a_new_office_says_on_every_list_what_will_be_there(
    visit: Visit, make_user: Callable[..., User], inspect: Inspect
) -> None:
    make_user("root", *Role, is_superuser=True)
    page = visit("root", at="")
    lists = (
        "applications/loanapplication",
        "reviews/reviewtask",
        "reviews/reviewtask/?mine=yes",
        "reviews/reviewdecision",
        "reviews/delegation",
        "applications/loanoffer",
        "applications/disbursement",
        "partners/partner",
        "partners/partnerkey",
        "workflows/execution",
        "workflows/pendingcallback",
        "workflows/outboxmessage",
        "workflows/incident",
        "webhooks/webhookendpoint",
        "webhooks/webhookdelivery",
    )
    for name in some(lists, of=5):
        page.goto(f"/admin/{name}")
        expect(page.locator("#nothing")).to_be_visible()
        inspect(page, f"empty-{name.rpartition('/')[2].replace('?', '')}")


@pytest.mark.long
def test_reference_of_the_api_is_drawn_without_a_complaint(
    visit: Visit, make_user: Callable[..., User], inspect: Inspect, picture: Inspect
) -> None:
    make_user("root", *Role, is_superuser=True)
    page = visit("root", at="/api/v1/docs/")

    look = inspect if LONG else picture  # axe takes as long for it as for ten other pages
    look(page, "api-reference")
    page.get_by_role("link", name="Submit an application").click()

    expect(page.get_by_role("heading", name="Submit an application")).to_be_in_viewport()
