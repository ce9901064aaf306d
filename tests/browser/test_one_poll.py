"""One poll for badge, application and list, and what it leaves alone."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, Request, expect

from applications.services import intake
from reviews.choices import NotificationKind
from reviews.models import Notification
from tests import casework
from tests.applications.admin.conftest import page as address

pytestmark = pytest.mark.django_db(transaction=True)

Visit = Callable[..., Page]
MINE = "/admin/reviews/reviewtask/?mine=yes"
EVERY = 16_000  # ms


def test_one_request_brings_all_parts_and_leaves_focus_and_what_is_typed(
    visit: Visit, officer: User, manager: User
) -> None:
    application = casework.waiting_for_manager(officer)
    page = visit("manager", at="/admin/")
    page.clock.install()
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.resource_type == "fetch":
            asked.append(request.url.partition("/admin/")[2])

    page.on("request", note)
    page.goto(address("change", application))
    figure = page.locator("#open-tasks-figure")
    expect(figure).to_have_text("1")
    page.focus("#press-claim")
    casework.waiting_for_manager(officer)
    expect(page.locator("#bell-figure")).to_be_hidden()
    Notification.objects.create(
        user=manager,
        kind=NotificationKind.PROPOSAL_CLOSED,
        key="proposal/1",
        sentence="Your proposal is confirmed.",
        path="/admin/accounts/proposal/",
    )
    intake.application_edit(reference=application.reference, user=officer, phone="613-555-0177")

    page.clock.fast_forward(EVERY)

    expect(figure).to_have_text("2")
    expect(page.locator("#bell-figure")).to_have_text("1")
    expect(page.locator("#open-tasks-sentence")).to_have_text("2 tasks wait on you")
    expect(page.locator("#contact")).to_contain_text("77")
    expect(page.locator("#application-log")).to_contain_text("Changed: phone.")
    assert page.evaluate("document.activeElement.id") == "press-claim"
    assert set(asked) == {address("live", application).partition("/admin/")[2]}

    page.goto(MINE)
    asked.clear()  # what the page before asked for until it was left does not count
    casework.waiting_for_manager(officer)
    page.check(".action-select >> nth=0")
    page.clock.fast_forward(EVERY)
    expect(page.locator("#list-changed")).to_contain_text("Something on this page changed")
    expect(figure).to_have_text("3")
    assert page.locator("#result_list tbody tr").count() == 2
    expect(page.locator(".action-select").first).to_be_checked()
    assert set(asked) == {MINE.partition("/admin/")[2]}
    page.click("#list-changed a")
    expect(page.locator("#result_list tbody tr")).to_have_count(3)

    page.context.clear_cookies()
    page.clock.fast_forward(EVERY)
    page.wait_for_timeout(500)
    asked.clear()
    page.clock.fast_forward(10 * EVERY)
    page.wait_for_timeout(500)
    assert asked == []
