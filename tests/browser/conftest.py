"""A real browser against a live server.

With ``LOANOFFICE_TEST_PICTURES=1``, as ``make test T=...`` sets it, each page that a test looks at
is kept as a picture in ``LOANOFFICE_DATA/test/screens``.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.accessibility import COLOURS, violations
from tests.browser.layout import faults
from tests.sizes import LONG

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser"))),
    None,
)
WIDE, DESK, NARROW = (1360, 900), (1280, 800), (390, 844)
# What the long run adds are the three other ways. On a phone most goes wrong.
LOOKS = [(WIDE, "light"), (NARROW, "dark"), (WIDE, "dark")] if LONG else [(NARROW, "light")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith("tests/browser/"):
            item.add_marker(pytest.mark.browser)
            if "inspect" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.long)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium is installed"))


@pytest.fixture(scope="session", autouse=True)
def _orm_beside_the_browser() -> Iterator[None]:
    """Playwright's event loop runs in this thread; Django must not mind it."""
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    yield
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-quic", "--disable-background-networking"],
        )
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    browser: Browser, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """The browser's event loop runs before the database is made.

    Django keeps a connection apart for a thread with a running loop: one that was made
    before is not seen any more. That is also why these tests run in processes of their own.
    """


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """Collect the browser's console errors and CSP violations."""
    heard: list[str] = []
    yield heard
    assert heard == []


@pytest.fixture
def visit(
    browser: Browser, live_server: Any, complaints: list[str], make_user: Any
) -> Iterator[Callable[..., Page]]:
    """``visit("manager", at="/admin/")``: a page of a browser in which that person is logged in.

    Without the form, which ``test_sign_in`` fills in; at no address, if ``at`` is empty.
    """
    contexts: list[BrowserContext] = []

    def log_in(
        username: str,
        *,
        at: str = "/admin/",
        size: tuple[int, int] = WIDE,
        scheme: Any = "light",
    ) -> Page:
        session = Client()
        session.force_login(User.objects.get(username=username))
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            reduced_motion="reduce",  # a colour that is still changing cannot be judged
            base_url=live_server.url,
        )
        contexts.append(context)
        value = session.cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": live_server.url}]
        )
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on(
            "console",
            lambda message: (
                complaints.append(f"{page.url}: {message.text}")
                if message.type in {"error", "warning"}
                else None
            ),
        )
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        if at:
            page.goto(at)
        return page

    yield log_in
    for context in contexts:
        context.close()


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """See that nothing is cut, and keep a picture of the whole page if asked to.

    Nothing sticks out or is hidden sideways; on a phone all that is touched is 44 px.
    """
    kept = os.environ.get("LOANOFFICE_TEST_PICTURES") == "1"
    folder = Path(settings.MEDIA_ROOT).parent / "screens"
    if kept:
        folder.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> None:
        page.wait_for_load_state("load")  # a text can be there before the style sheet is
        beyond = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if kept:
            page.screenshot(path=folder / f"{name}.png", full_page=True)
        assert beyond <= 0, f"{name} is {beyond} px too wide"
        assert not (found := faults(page)), f"{name}:\n" + "\n".join(found)

    return take


@pytest.fixture
def screen() -> Callable[[Page, str], None]:
    """Keep what a desk shows as ``<name>.png`` in ``LOANOFFICE_SCREENS``, if that is set.

    ``make screens`` sets it to ``docs/screens``, which the README shows.
    """
    told = os.environ.get("LOANOFFICE_SCREENS")

    def keep(page: Page, name: str) -> None:
        if told:
            folder = Path(told)
            folder.mkdir(parents=True, exist_ok=True)
            page.wait_for_load_state("load")
            page.evaluate("window.scrollTo(0, 0)")
            page.screenshot(path=folder / f"{name}.png")

    return keep


@pytest.fixture
def inspect(picture: Callable[[Page, str], None]) -> Callable[[Page, str], None]:
    """Look at a page by light on a phone; in the long run by dark and on a desk, too.

    Each time nothing sticks out sideways, and axe has nothing serious to say. All its rules are
    asked at each width by light; by dark those about colours, as nothing else differs from the
    look by light (``test_style_sheets``). The page is then as wide and as light as it was made.
    """

    def look(page: Page, name: str) -> None:
        found = []
        for (width, height), scheme in LOOKS:
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)
            picture(page, f"{name}-{width}-{scheme}")
            said = violations(page, only=COLOURS if scheme == "dark" else ())
            found += [f"{name}, {width} px, {scheme}: {violation}" for violation in said]
        if LONG:
            page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
            picture(page, f"{name}-{DESK[0]}-dark")
        page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
        page.emulate_media(color_scheme="light")
        assert not found, "\n".join(found)

    return look
