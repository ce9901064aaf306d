"""Confirming that it is you, in a real browser: before a key is made, with the password."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from partners.models import Partner, PartnerKey

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def stepped_up() -> None:
    """Sessions of these tests have confirmed nothing."""


def test_password_is_asked_before_a_key_is_issued(
    visit: Callable[..., Page],
    partner_manager: User,
    partner: Partner,
    inspect: Callable[[Page, str], None],
) -> None:
    page = visit("partners", at=f"/admin/partners/partner/{partner.pk}/change/")
    page.click("#press-issue-key")
    page.wait_for_url("**/account/again/**")
    expect(page.locator("#id_typed")).to_be_focused()
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.locator(".errorlist")).to_have_text("That is not your password.")
    inspect(page, "again")

    page.locator("#id_typed").fill("demo")
    page.keyboard.press("Enter")
    page.wait_for_url("**/issue-key/**")
    for box in page.locator("input[type=checkbox]").all():
        box.uncheck()
    page.locator("input[value='applications:read']").check()
    page.click("button.press-good")

    expect(page.locator("#issued-key")).to_be_visible()
    assert PartnerKey.objects.get().partner == partner
