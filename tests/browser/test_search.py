"""The search in the header: by keys alone, and what it says to a screen reader."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from tests import casework
from tests.browser.accessibility import violations
from tests.sizes import LONG

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.long
def test_application_is_found_while_typing_and_opened_by_keys(
    visit: Callable[..., Page], officer: User
) -> None:
    casework.submit(officer, applicant_name="Alice Reed")
    wanted = casework.submit(officer, applicant_name="Alice Johnson")
    page = visit("officer")
    field, found = page.locator("#header-search-term"), page.locator("#header-search-list a")

    page.keyboard.press("/")
    expect(field).to_be_focused()
    page.keyboard.type("alice")
    expect(found).to_have_count(2)
    expect(page.locator("#header-search-state")).to_have_text("2 found. Choose with Up and Down.")
    page.keyboard.press("Escape")
    expect(found.first).to_be_hidden()
    field.fill("johns")
    expect(found).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(field).to_have_attribute("aria-activedescendant", "header-search-option-0")
    if LONG:
        assert violations(page) == []
    page.keyboard.press("Enter")

    page.wait_for_url(f"**/loanapplication/{wanted.pk}/change/")
    page.keyboard.press("/")
    page.keyboard.type("613-555-0101")
    page.keyboard.press("Enter")
    expect(page.locator("#search-result")).to_contain_text("2 found")
