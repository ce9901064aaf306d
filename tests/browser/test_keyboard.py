"""The main paths without a mouse: all of it is reached, seen to be reached, and left again."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Locator, Page, expect

from tests import casework
from tests.applications.admin.conftest import LIST, decide_page
from tests.applications.admin.conftest import page as address

pytestmark = pytest.mark.django_db(transaction=True)

MINE = "/admin/reviews/reviewtask/?mine=yes"
MOST = 200
# Everything that a mouse can press, and where each stands in the order of the page.
COUNT_CONTROLS = """() => {
    const shown = (found) => found.checkVisibility({visibilityProperty: true})
        && !found.disabled && found.tabIndex >= 0 && found.closest("[inert]") === null;
    const all = "a[href], button, input:not([type=hidden]), select, textarea, summary, "
        + "[tabindex='0']";
    window.controls = [...document.querySelectorAll(all)].filter(shown);
    return window.controls.length;
}"""
# Also where a field took the focus by itself: the next Tab begins before everything.
FROM_THE_TOP = """() => {
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute("tabindex");
    scrollTo(0, 0);
}"""
# What has the focus now: its place among them, and whether a person sees that it has it.
FOCUSED = """() => {
    const found = document.activeElement;
    if (found === document.body || found === null) { return null; }
    const style = getComputedStyle(found);
    const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    const box = found.getBoundingClientRect();
    return {
        place: window.controls.indexOf(found),
        what: found.outerHTML.slice(0, 120),
        seen: (ring || style.boxShadow !== "none") && box.width > 0 && box.height > 0
            && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    };
}"""


# The live part of a page was replaced since the controls were counted.
REDRAWN = "() => window.controls.some((control) => !control.isConnected)"
ATTEMPTS = 5


def tab_through(page: Page) -> None:
    """Press Tab until the page is left; every control had the focus, in order, and showed it."""
    for _ in range(ATTEMPTS):
        controls, met = focused_in_turn(page)
        if not page.evaluate(REDRAWN):
            break
    assert [stop["what"] for stop in met if not stop["seen"]] == []
    assert [stop["place"] for stop in met] == list(range(controls))


def focused_in_turn(page: Page) -> tuple[int, list[dict[str, Any]]]:
    """Press Tab from the top until the page is left; return how many controls, and what it met."""
    controls: int = page.evaluate(COUNT_CONTROLS)
    assert 0 < controls < MOST
    page.evaluate(FROM_THE_TOP)
    met: list[dict[str, Any]] = []
    for _ in range(controls + 1):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:
            return controls, met
        met.append(focused)
    assert page.evaluate(REDRAWN), f"the focus never leaves: {met[-3:]}"
    return controls, met


def test_sign_in_by_keyboard(
    browser: Browser, live_server: Any, officer: User, complaints: list[str]
) -> None:
    context = browser.new_context(base_url=live_server.url, reduced_motion="reduce")
    page = context.new_page()
    page.goto("/admin/login/")
    tab_through(page)
    page.focus("#id_username")
    page.keyboard.type("officer")
    page.keyboard.press("Tab")
    page.keyboard.type("demo")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/")
    context.close()


def test_list_case_and_decision_by_keyboard(
    visit: Callable[..., Page], officer: User, manager: User
) -> None:
    application = casework.waiting_for_manager(officer)
    page = visit("manager", at="")
    for where in (
        "/admin/",
        LIST,
        address("change", application),
        address("decide", application, application.review_tasks.get().pk, "decline"),
    ):
        page.goto(where)
        tab_through(page)

    page.goto(address("change", application))
    page.focus("#press-approve")
    page.keyboard.press("Enter")
    page.wait_for_url("**/approve/")
    page.focus("#id_reason")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist .success")).to_contain_text("approved")


def test_my_approvals_are_worked_through_by_keys(
    visit: Callable[..., Page], picture: Callable[[Page, str], None], officer: User, manager: User
) -> None:
    cases = casework.many_waiting_for_manager(officer, 3)
    page = visit("manager", at=MINE)

    def row(number: int) -> Locator:
        return page.locator("#result_list tbody tr").nth(number).locator("th a")

    for keys, focused in (("j", 0), ("j", 1), ("jjj", 2), ("k", 1)):
        for key in keys:
            page.keyboard.press(key)
        expect(row(focused)).to_be_focused()
    page.locator("select[name=action]").focus()
    page.keyboard.press("k")  # chooses in the field
    expect(page.locator("select[name=action]")).to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#list-keys")).not_to_be_visible()

    row(1).focus()
    page.keyboard.press("?")
    dialog = page.locator("#list-keys")
    expect(dialog).to_be_visible()
    picture(page, "my-approvals-keys")
    page.keyboard.press("a")
    expect(dialog).to_be_visible()
    page.locator("#list-keys-on").uncheck()
    page.keyboard.press("Escape")
    row(1).focus()
    page.keyboard.press("j")
    expect(row(1)).to_be_focused()  # they are switched off
    page.keyboard.press("?")
    page.locator("#list-keys-on").check()
    page.get_by_role("button", name="Close").click()

    row(1).focus()
    page.keyboard.press("d")
    page.wait_for_url(f"**{decide_page(cases[1], 'decline')}*")
    page.go_back()
    row(1).focus()
    page.keyboard.press("s")
    page.wait_for_url("**/send-back/*")
    page.go_back()
    row(1).focus()
    page.keyboard.press("a")
    page.wait_for_url(f"**{decide_page(cases[1], 'approve')}*")
    page.locator("#press-next").click()
    page.wait_for_url(f"**{decide_page(cases[2], 'approve')}*")
    page.locator("main button.press-good").click()
    expect(page.locator(".messagelist .success")).to_contain_text("(1 left)")
    page.wait_for_load_state()  # the keys are heard once the scripts have run
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{address('change', cases[0])}")


def test_skip_link_is_the_first_stop_and_leads_past_the_navigation(
    visit: Callable[..., Page], officer: User
) -> None:
    page = visit("officer", at=LIST)

    page.keyboard.press("Tab")
    expect(page.locator(".skip-to-content-link")).to_be_focused()
    expect(page.locator(".skip-to-content-link")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    assert page.evaluate("document.activeElement.closest('main') !== null")
    assert page.evaluate("document.activeElement.closest('#nav-sidebar') === null")
