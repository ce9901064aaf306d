"""Looking at a document in place, in a real browser."""

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from fpdf import FPDF
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from applications.models import Document, LoanApplication
from audit.models import Action, AuditEntry
from reviews.choices import TaskKind
from tests import casework
from tests.applications.admin.conftest import decide_page
from tests.applications.admin.conftest import page as address
from tests.applications.admin.test_previews import added
from tests.browser.conftest import NARROW
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)
RED = (200, 30, 30)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def flagged(officer: User) -> LoanApplication:
    application = casework.submit(officer, loan_amount=12_000)
    casework.assess(application)
    casework.ask(application, TaskKind.FRAUD_REVIEW)
    return application


@pytest.fixture
def card(officer: User, flagged: LoanApplication) -> Document:
    """A red photograph, larger than a phone."""
    kept = io.BytesIO()
    Image.new("RGB", (1200, 1600), RED).save(kept, "JPEG")
    return added(flagged, officer, "identity card.jpg", kept.getvalue())


@pytest.fixture
def slip(officer: User, flagged: LoanApplication) -> Document:
    """A page that is red all over."""
    paper = FPDF()
    paper.add_page()
    paper.set_fill_color(*RED)
    paper.rect(0, 0, paper.w, paper.h, "F")
    return added(flagged, officer, "slip.pdf", bytes(paper.output()))


def on_record() -> list[str]:
    found = AuditEntry.objects.filter(action=Action.DOWNLOADED).order_by("pk")
    return list(found.values_list("message", flat=True))


def is_red(page: Page) -> bool:
    """Tell whether the middle of the open preview is red, as the documents of these tests are."""
    shown = Image.open(io.BytesIO(page.locator("#preview iframe").screenshot())).convert("RGB")
    middle: Any = shown.getpixel((shown.width // 2, shown.height // 3))
    return all(abs(got - wanted) < 12 for got, wanted in zip(middle, RED, strict=True))


def test_image_opens_in_place_and_each_time_is_on_record(
    visit: Callable[..., Page],
    picture: Callable[[Page, str], None],
    analyst: User,
    flagged: LoanApplication,
    card: Document,
) -> None:
    page = visit("analyst", at=decide_page(flagged, "approve"), size=NARROW)
    assert on_record() == []

    page.click(f"#preview-{card.pk}")
    expect(page.frame_locator("#preview iframe").locator("img")).to_be_visible()

    assert is_red(page)
    assert page.locator("#preview iframe").get_attribute("sandbox") == ""
    picture(page, "preview-image")
    page.keyboard.press("Escape")
    expect(page.locator("#preview iframe")).to_have_count(0)
    expect(page.locator(f"#preview-{card.pk}")).to_be_focused()
    assert on_record() == ["Previewed proof of income “identity card.jpg”."]
    page.click(f"#preview-{card.pk}")
    expect(page.frame_locator("#preview iframe").locator("img")).to_be_visible()
    page.click("#preview-close")
    expect(page.locator("#preview iframe")).to_have_count(0)
    assert len(on_record()) == 2


@pytest.fixture
def desk(browser: Browser) -> Iterator[Browser]:
    """Chromium as people have it: the one without a window system has no viewer of PDF files."""
    if CHROMIUM is None:
        pytest.skip("no Chromium with its viewer of PDF files is installed")
    launched = browser.browser_type.launch(
        executable_path=CHROMIUM,
        args=["--no-sandbox", "--headless=new", "--disable-background-networking"],
        ignore_default_args=["--headless"],
    )
    yield launched
    launched.close()


@pytest.mark.long
def test_pdf_opens_in_place_in_the_viewer_of_the_browser(
    desk: Browser,
    live_server: Any,
    visit: Callable[..., Page],
    analyst: User,
    flagged: LoanApplication,
    slip: Document,
) -> None:
    cookies: Any = visit("analyst", at="").context.cookies()
    with desk.new_context(viewport={"width": 1360, "height": 900}) as context:
        context.add_cookies(cookies)
        page = context.new_page()
        heard: list[str] = []
        page.on("console", lambda message: heard.append(message.text))
        page.goto(live_server.url + address("change", flagged))

        page.click(f"#preview-{slip.pk}")

        eventually(lambda: is_red(page), what="a page of the file")
        assert page.locator("#preview iframe").get_attribute("sandbox") is None
        assert on_record() == ["Previewed proof of income “slip.pdf”."]
        assert heard == []
