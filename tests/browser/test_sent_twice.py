"""A form sent twice in a real browser: by a double click, after Back, by a reload."""

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from playwright.sync_api import Page, expect

from applications.models import LoanApplication
from partners.models import Partner
from tests.sent_forms import AGAIN
from webhooks.endpoints import endpoint_create
from webhooks.models import WebhookEndpoint

pytestmark = pytest.mark.django_db(transaction=True)
HOOK = "https://hooks.example.invalid/loans"
SUBMIT = "form button[type=submit].press"


@pytest.fixture
def endpoint(partner: Partner) -> WebhookEndpoint:
    return endpoint_create(partner=partner, url=HOOK)[0]


def rotate_url(endpoint: WebhookEndpoint) -> str:
    return reverse("admin:webhooks_webhookendpoint_rotate", args=[endpoint.pk])


def test_rotating_again_after_back_shows_the_first_result(
    visit: Callable[..., Page],
    partner_manager: User,
    endpoint: WebhookEndpoint,
    inspect: Callable[[Page, str], None],
) -> None:
    page = visit("partners")
    page.goto(rotate_url(endpoint))
    page.click(SUBMIT)
    expect(page.locator("#issued-secret")).to_have_text(re.compile("^whsec_"))
    endpoint.refresh_from_db()
    made = endpoint.secret

    page.go_back()
    page.click(SUBMIT)

    expect(page.locator(".messagelist")).to_contain_text(AGAIN)
    expect(page.locator(".messagelist")).to_contain_text("is not shown again")
    endpoint.refresh_from_db()
    assert endpoint.secret == made
    inspect(page, "form-sent-again")


def test_reload_of_the_page_with_a_secret_makes_no_other(
    visit: Callable[..., Page], partner_manager: User, endpoint: WebhookEndpoint
) -> None:
    page = visit("partners", at=rotate_url(endpoint))
    page.click(SUBMIT)
    expect(page.locator("#issued-secret")).to_be_visible()
    endpoint.refresh_from_db()
    made = endpoint.secret

    page.reload()

    expect(page.locator(".messagelist")).to_contain_text(AGAIN)
    expect(page.locator("#issued-secret")).to_have_count(0)
    endpoint.refresh_from_db()
    assert endpoint.secret == made


def test_double_click_and_back_submit_one_application(
    visit: Callable[..., Page], officer: User
) -> None:
    page = visit("officer", at="/admin/applications/loanapplication/add/?profile=1111")
    page.dblclick("[name=_submit]")
    page.wait_for_url("**/change/")

    assert LoanApplication.objects.count() == 1
    page.goto("/admin/applications/loanapplication/add/?profile=1111")
    page.click("[name=_submit]")
    page.wait_for_url("**/change/")
    assert LoanApplication.objects.count() == 2
    page.go_back()
    page.click("[name=_submit]")
    expect(page.locator(".messagelist")).to_contain_text(AGAIN)
    assert LoanApplication.objects.count() == 2
