"""Endpoints and deliveries in a real browser: set up, failed, looked into, sent again."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from accounts.roles import Role
from partners.models import Partner
from tests.webhooks.conftest import submit, sweep_webhooks
from tests.webhooks.receiver import receiving
from webhooks.endpoints import endpoint_create
from webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from workflows.models import OutboxMessage

pytestmark = pytest.mark.django_db(transaction=True)

Visit = Callable[..., Page]
Inspect = Callable[[Page, str], None]
ENDPOINTS = "/admin/webhooks/webhookendpoint/"
DELIVERIES = "/admin/webhooks/webhookdelivery/"


def test_endpoint_is_added_its_failed_delivery_looked_into_and_sent_again(
    visit: Visit, make_user: Callable[..., User], partner: Partner, inspect: Inspect
) -> None:
    make_user("root", *Role, is_superuser=True)
    make_user("operations", Role.OPERATIONS)
    page = visit("root", at=ENDPOINTS)
    expect(page.locator("#content")).to_contain_text("Events about a partner")
    with receiving() as receiver:
        page.goto(f"{ENDPOINTS}add/?partner={partner.pk}")
        inspect(page, "endpoint-add")
        page.fill("#id_url", "https://10.0.0.1/")
        page.click("button.press-good")
        expect(page.locator(".errorlist")).to_contain_text("leads to no public address")
        expect(page.locator("#id_url")).to_be_focused()
        page.fill("#id_url", receiver.url)
        page.check("text=Submitted")
        page.click("button.press-good")
        endpoint = WebhookEndpoint.objects.get()
        expect(page.locator("#issued-secret")).to_have_text(endpoint.secret)
        assert (endpoint.partner, endpoint.event_types) == (partner, ["application.submitted"])
        page.context.grant_permissions(["clipboard-write"])
        page.click("#press-copy")
        expect(page.locator("#press-copy")).to_have_text("Copied")
        inspect(page, "endpoint-secret")
        page.click("text=Back to the endpoint")
        expect(page.locator("#content")).not_to_contain_text(endpoint.secret)
        inspect(page, "endpoint")
        for name in ("rotate", "disable", "test"):
            page.click(f"#press-{name}")
            inspect(page, f"endpoint-{name}")
            page.go_back()

        receiver.answers.extend([(500, {}), (503, {})])
        submit(partner)
        sweep_webhooks()
        sweep_webhooks()
        WebhookDelivery.objects.update(status="failed")
        OutboxMessage.objects.filter(kind="webhook").update(status="dead")
        WebhookAttempt.objects.filter(status_code=500).update(
            response="<img src=x onerror=alert(1)>" + "y" * 900
        )
        page.goto(ENDPOINTS)
        expect(page.locator("#result_list")).to_contain_text("Failed")
        inspect(page, "endpoints")

        page = visit("operations", at=DELIVERIES)
        inspect(page, "deliveries")
        page.click("#result_list a[href*='/webhookdelivery/']")
        expect(page.locator(".try")).to_have_count(2)
        expect(page.locator(".response").last).to_contain_text("<img src=x onerror")
        expect(page.locator("#payload")).to_contain_text('"status": "submitted"')
        inspect(page, "delivery")
        page.click("#press-resend")
        inspect(page, "delivery-resend")
        page.click("button.press-good")
        expect(page.locator(".messagelist .success")).to_contain_text("on its way again")
        expect(page.locator("#delivery-head .badge")).to_have_text("Pending")

        page.evaluate("window.notReloaded = true")
        assert sweep_webhooks() == 1
        expect(page.locator("#delivery-head .badge")).to_have_text("Delivered")
        expect(page.locator("#look-again")).to_have_count(0)
        assert page.evaluate("window.notReloaded")
        page.click("#to-application")
        expect(page.locator("#panel-webhooks")).to_be_visible()
        inspect(page, "application-webhooks")


def test_failed_deliveries_are_chosen_in_the_list_and_sent_again_together(
    visit: Visit, make_user: Callable[..., User], partner: Partner
) -> None:
    make_user("operations", Role.OPERATIONS)
    with receiving() as receiver:
        endpoint_create(partner=partner, url=receiver.url)
        for _ in range(3):
            submit(partner)
        WebhookDelivery.objects.update(status="failed")
        page = visit("operations", at=f"{DELIVERIES}?status__exact=failed")
        page.check("#action-toggle")
        page.select_option("select[name=action]", "resend_selected")
        page.click(".actions button")
        expect(page.locator(".messagelist .success")).to_contain_text("3 on the way again.")
        assert WebhookDelivery.objects.filter(status="pending", round=2).count() == 3
