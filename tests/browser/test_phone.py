"""Every list with long values, on a phone and on two desks: nothing is cut or too small."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from accounts.models import FailedSignIn
from accounts.roles import Role
from partners.models import Partner
from partners.services import keys
from tests import casework
from tests.browser.accessibility import COLOURS, violations
from tests.browser.conftest import DESK, NARROW, WIDE
from tests.sizes import some
from tests.webhooks.conftest import submit
from webhooks.endpoints import endpoint_create
from webhooks.models import WebhookDelivery

pytestmark = pytest.mark.django_db(transaction=True)

Visit = Callable[..., Page]
Inspect = Callable[[Page, str], None]
LISTS = (
    "applications/loanapplication/",
    "reviews/reviewtask/",
    "applications/loanoffer/",
    "applications/disbursement/",
    "workflows/outboxmessage/",
    "workflows/execution/",
    "workflows/pendingcallback/",
    "webhooks/webhookdelivery/",
    "webhooks/webhookendpoint/",
    "partners/partner/",
    "partners/partnerkey/",
    "audit/auditentry/",
    "auth/user/",
    "auth/group/",
    "accounts/failedsignin/",
    "lending/lendingpolicy/",
    "reviews/declinereason/",
)
LONG_NAME = "Maximiliane-Alexandra Featherstonehaugh-Cholmondeley"
LONG_URL = f"http://127.0.0.1:8000/{'loan-office-webhooks-of-the-branch/' * 3}"


@pytest.fixture
def office(make_user: Callable[..., User], partner: Partner) -> None:
    """Rows of every list, with the longest values that people have."""
    make_user("root", *Role, is_superuser=True)
    officer = make_user("officer", Role.LOAN_OFFICER)
    endpoint_create(partner=partner, url=LONG_URL)
    submit(partner, applicant_name=LONG_NAME)
    WebhookDelivery.objects.update(status="failed", attempts=12, last_status_code=503)
    casework.funded(officer, applicant_name=LONG_NAME)
    casework.waiting_for_manager(
        officer,
        applicant_name=LONG_NAME,
        loan_amount=Decimal("900000.00"),
        annual_income=Decimal("985000.00"),
    )
    keys.partner_key_issue(partner=partner, label="The branch office behind the station")
    FailedSignIn.objects.create(
        failures_since_start=3,
        ip_address="2001:db8:85a3:8d3:1319:8a2e:370:7348",
        username=LONG_NAME,
    )


@pytest.mark.long
@pytest.mark.usefixtures("office")
def test_no_list_cuts_a_column_at_any_width(visit: Visit, picture: Inspect) -> None:
    page = visit("root", at="")
    for where in some(LISTS, of=5):
        page.goto(f"/admin/{where}")
        expect(page.locator("#result_list")).to_be_visible()
        for width, height in (NARROW, DESK, WIDE):
            page.set_viewport_size({"width": width, "height": height})
            picture(page, f"list-{where.strip('/').replace('/', '-')}-{width}")


@pytest.mark.usefixtures("office")
def test_a_list_is_read_and_left_by_the_menu_on_a_phone(visit: Visit, picture: Inspect) -> None:
    page = visit("root", at="/admin/applications/loanapplication/", size=NARROW)
    card = page.locator("#result_list tbody tr").first
    amount = card.locator(".field-amount")

    assert amount.evaluate("e => getComputedStyle(e, '::before').content") == '"Amount"'
    assert amount.evaluate("e => e.scrollWidth <= e.clientWidth")
    expect(amount).to_contain_text("900,000.00")
    page.click("#menu > summary")
    picture(page, "menu")
    assert violations(page, only=COLOURS) == []
    page.keyboard.press("Escape")
    expect(page.locator("#menu nav")).to_be_hidden()
    page.click("#menu > summary")
    page.click("#menu a:has-text('Incidents')")
    expect(page.locator("h1")).to_contain_text("ncident")
    for width in (768, 1000, 1024):
        page.set_viewport_size({"width": width, "height": 800})
        high = page.locator("#header").evaluate("e => e.getBoundingClientRect().height")
        assert high < 180, f"a header of {high} px at {width} px"


def test_a_filter_closes_on_escape_and_on_a_click_beside_it(
    visit: Visit, make_user: Callable[..., User]
) -> None:
    make_user("manager", Role.MANAGER)
    page = visit("manager", at="/admin/applications/loanapplication/")
    first = page.locator(".choices").first
    for leave in (lambda: page.keyboard.press("Escape"), lambda: page.click("h1")):
        first.locator("summary").click()
        expect(first.locator("ul")).to_be_visible()
        leave()
        expect(first.locator("ul")).to_be_hidden()
    expect(first.locator("summary")).not_to_be_focused()


def test_error_pages_keep_the_menu_for_those_who_work_here(
    visit: Visit, make_user: Callable[..., User], complaints: list[str]
) -> None:
    make_user("auditor", Role.AUDITOR)
    page = visit("auditor", at="")
    for where in ("/nowhere/", "/admin/applications/loanapplication/add/"):
        page.goto(where)
        page.click("#menu > summary")
        page.click("#menu a:has-text('Audit')")
        expect(page.locator("#result_list")).to_be_visible()
    complaints[:] = [said for said in complaints if "the server responded" not in said]
