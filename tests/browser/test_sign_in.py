"""Signing in in a real browser: refused, locked out, a second factor from the first scan on."""

import re
import time
from base64 import b32decode
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from accounts.lockouts import HERE
from accounts.models import RequiredSecondFactor, SecondFactor
from accounts.roles import Role
from tests.accounts.access import NEW_PASSWORD
from tests.accounts.conftest import code_of, link, newcomer
from tests.browser.conftest import NARROW, WIDE

pytestmark = pytest.mark.django_db(transaction=True)

__all__ = ["link", "newcomer"]

Picture = Callable[[Page, str], None]


@pytest.fixture
def stranger(
    browser: Browser, live_server: Any, complaints: list[str]
) -> Iterator[Callable[..., Page]]:
    """A page of a browser in which nobody is logged in; its answer may be a 410 or a 429."""
    contexts = []

    def come(*, size: tuple[int, int] = WIDE, scheme: Any = "light") -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            base_url=live_server.url,
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on(
            "console",
            lambda message: (
                complaints.append(f"{page.url}: {message.text}")
                if message.type in {"error", "warning"}
                and not re.search("status of (410|429)", message.text)
                else None
            ),
        )
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        return page

    yield come
    for context in contexts:
        context.close()


def sign_in(page: Page, username: str, password: str = "demo") -> None:
    page.goto("/admin/login/")
    page.fill("#id_username", username)
    page.fill("#id_password", password)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def next_code(device: SecondFactor) -> str:
    """A code that was not used yet: the app shows another one every 30 seconds."""
    device.refresh_from_db()
    SecondFactor.objects.filter(pk=device.pk).update(last_t=int(time.time()) // 30 - 2)
    return code_of(device)


def test_wrong_password_is_said_and_too_many_lock_out(
    stranger: Callable[..., Page], manager: User, picture: Picture
) -> None:
    page = stranger()
    sign_in(page, "manager", "wrong")
    expect(page.locator(".errornote")).to_contain_text("do not go together")
    picture(page, "sign-in-refused")

    for _ in range(HERE - 1):
        sign_in(page, "manager", "wrong")

    expect(page.locator("#content")).to_contain_text("for 15 minutes")
    picture(page, "locked-out")
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    picture(page, "locked-out-narrow")
    sign_in(page, "manager")
    expect(page.locator("[role=alert]")).to_have_text("Too many failed sign-ins.")


def test_role_that_needs_one_leads_through_the_set_up_with_the_keyboard_alone(
    stranger: Callable[..., Page], manager: User, picture: Picture
) -> None:
    RequiredSecondFactor.objects.create(group=Group.objects.get(user=manager))
    page = stranger()
    sign_in(page, "manager")
    page.wait_for_url("**/second-factor/**")
    expect(page.locator("#needed")).to_have_text("Your role needs a second factor: Manager.")
    picture(page, "enrol-begin")
    page.get_by_role("button", name="Begin").focus()
    page.keyboard.press("Enter")

    expect(page.locator("img.qr")).to_be_visible()
    page.locator("img.qr").evaluate("picture => picture.decode()")  # fails when it is none
    picture(page, "enrol")
    page.locator("#id_code").press_sequentially("000000")
    page.keyboard.press("Enter")
    expect(page.locator(".errorlist")).to_contain_text("That code is not right")
    device = SecondFactor.objects.get()
    SecondFactor.objects.update(throttling_failure_count=0)
    page.locator("#id_code").fill(code_of(device))
    page.keyboard.press("Enter")

    expect(page.locator("#recovery-codes li")).to_have_count(10)
    picture(page, "recovery-codes")
    page.locator("#done").press("Enter")
    expect(page.locator("#user-tools")).to_contain_text("manager", ignore_case=True)
    assert page.url.endswith("/admin/")


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_code_is_asked_for_after_the_password(
    stranger: Callable[..., Page],
    manager: User,
    picture: Picture,
    size: tuple[int, int],
    scheme: str,
) -> None:
    device = SecondFactor.objects.create(user=manager, name="App", confirmed=True)
    page = stranger(size=size, scheme=scheme)
    sign_in(page, "manager")
    page.wait_for_url("**/account/code/**")
    expect(page.locator("#id_code")).to_be_focused()
    picture(page, f"code-{scheme}")
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    expect(page.locator(".errorlist")).to_be_visible()
    picture(page, f"code-refused-{scheme}")
    SecondFactor.objects.update(throttling_failure_count=0)

    page.locator("#id_code").fill(next_code(device))
    page.keyboard.press("Enter")

    page.wait_for_url(re.compile(r"/admin/$"))


def test_account_page_offers_it_and_lists_the_latest_sign_ins(
    stranger: Callable[..., Page], manager: User, picture: Picture
) -> None:
    page = stranger()
    sign_in(page, "manager", "wrong")
    sign_in(page, "manager")
    page.click("text=Your account")

    expect(page.locator("#set-up")).to_be_visible()
    expect(page.locator("#sign-ins tbody tr")).to_have_count(2)
    picture(page, "account")
    page.goto(reverse("account:enrol"))
    page.get_by_role("button", name="Begin").click()
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    picture(page, "enrol-narrow")


def test_sessions_are_listed_and_the_others_ended(
    stranger: Callable[..., Page], manager: User, inspect: Picture
) -> None:
    elsewhere, page = stranger(), stranger()
    for browser in (elsewhere, page):
        sign_in(browser, "manager")
    page.goto("/admin/account/")
    expect(page.locator("#sessions tbody tr")).to_have_count(2)
    inspect(page, "sessions")

    page.click("#end-others")

    expect(page.locator(".messagelist")).to_contain_text("Other sessions ended: 1.")
    expect(page.locator("#sessions tbody tr")).to_have_count(1)
    elsewhere.goto("/admin/account/")
    assert "/admin/login/" in elsewhere.url


def test_guest_accepts_an_invitation_with_the_keyboard_alone_and_signs_in(
    stranger: Callable[..., Page], link: str, inspect: Picture
) -> None:
    page = stranger()
    page.goto(link)
    expect(page.locator("#id_new_password1")).to_be_focused()
    page.locator("img.qr").evaluate("picture => picture.decode()")  # fails when it is none
    assert page.url.endswith("/admin/account/invitation/")
    inspect(page, "invitation")
    secret = page.locator("#secret").inner_text().replace(" ", "")
    device = SecondFactor(key=b32decode(secret).hex())
    page.locator("#id_new_password1").focus()
    for typed in (NEW_PASSWORD, f"{NEW_PASSWORD} ", "000000"):
        page.keyboard.type(typed)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".errorlist")).to_contain_text("match")
    inspect(page, "invitation-refused")

    page.fill("#id_new_password1", NEW_PASSWORD)
    page.fill("#id_new_password2", NEW_PASSWORD)
    page.fill("#id_code", code_of(device))
    page.keyboard.press("Enter")

    expect(page.locator("#recovery-codes li")).to_have_count(10)
    inspect(page, "invitation-accepted")
    page.locator("#done").press("Enter")
    sign_in(page, "newcomer", NEW_PASSWORD)
    page.fill("#id_code", next_code(SecondFactor.objects.get()))
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator("#user-tools")).to_contain_text("newcomer", ignore_case=True)
    page.goto(link)
    expect(page.locator("#content")).to_contain_text("ask an administrator")
    inspect(page, "invitation-over")


def test_superuser_invites_from_the_page_of_a_person(
    stranger: Callable[..., Page], root: User, newcomer: User, inspect: Picture
) -> None:
    page = stranger()
    sign_in(page, "root")
    page.goto(f"/admin/auth/user/{newcomer.pk}/change/")
    page.click("#press-invite")
    inspect(page, "invite")

    page.click("text=Send the invitation")

    expect(page.locator(".messagelist")).to_contain_text("Newcomer is invited")
    inspect(page, "invited")


def test_superuser_sees_lockouts_and_second_factors(
    stranger: Callable[..., Page],
    manager: User,
    make_user: Callable[..., User],
    picture: Picture,
) -> None:
    make_user("root", *Role, is_superuser=True)
    SecondFactor.objects.create(user=manager, name="App", confirmed=True)
    page = stranger()
    for _ in range(HERE):
        sign_in(page, "manager", "wrong")
    sign_in(page, "root")
    page.goto("/admin/accounts/failedsignin/")
    expect(page.locator("#result_list .badge")).to_have_text("Locked out")
    picture(page, "lockouts")
    page.click("#result_list a")
    page.click("#press-lift")
    picture(page, "lift")
    page.click("button.press-bad")
    expect(page.locator(".messagelist")).to_contain_text("Manager may try again.")
    page.goto("/admin/accounts/secondfactor/")
    page.click("#result_list a")
    page.click("#press-reset")
    picture(page, "reset")
    page.click("button.press-bad")
    expect(page.locator(".messagelist")).to_contain_text("is reset")
    assert not SecondFactor.objects.exists()
