"""Error pages in the product's style, and an application's page in print."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from loanoffice import dashboard
from tests import casework
from tests.applications.admin.conftest import ADD, LIST
from tests.applications.admin.conftest import page as address

pytestmark = pytest.mark.django_db(transaction=True)

Visit = Callable[..., Page]
Inspect = Callable[[Page, str], None]
ANSWERED = "the server responded with a status of"


def test_each_error_has_a_page_that_says_what_to_do(
    visit: Visit,
    auditor: User,
    inspect: Inspect,
    complaints: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("the page breaks")

    too_many = "a&" * (settings.DATA_UPLOAD_MAX_NUMBER_FIELDS + 1)
    page = visit("auditor", at=LIST)
    monkeypatch.setattr(dashboard, "dashboard_of", fail)
    for status, where, heading in (
        (404, "/nowhere/", "There is no such page"),
        (400, f"{LIST}?{too_many}", "This request was not understood"),
        (403, ADD, "You may not do this"),
        (500, "/admin/", "Something went wrong here"),
    ):
        answer = page.goto(where)
        assert answer is not None
        assert answer.status == status
        expect(page.locator("h1")).to_have_text(heading)
        inspect(page, f"error-{status}")
    page.goto(LIST)
    page.context.clear_cookies(name="csrftoken")
    page.click("#logout-form button")
    expect(page.locator("h1")).to_have_text("This form is out of date")
    inspect(page, "error-csrf")

    # The browser tells every answer of this kind; anything else still counts.
    assert sum(ANSWERED in said for said in complaints) == 5
    complaints[:] = [said for said in complaints if ANSWERED not in said]


def test_case_is_printed_without_what_can_be_pressed_and_with_its_whole_log(
    visit: Visit, officer: User, manager: User
) -> None:
    application = casework.waiting_for_manager(officer)
    page = visit("manager", scheme="dark", at=address("change", application))
    expect(page.locator("#press-approve")).to_be_visible()

    page.emulate_media(media="print")

    for gone in ("#header", "#nav-sidebar", ".breadcrumbs", "#press-approve"):
        expect(page.locator(gone)).to_be_hidden()
    expect(page.locator("#application-panels")).to_be_visible()
    log = page.locator("#application-log")
    assert log.evaluate("(log) => log.scrollHeight <= log.clientHeight")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(31, 43, 48)"
