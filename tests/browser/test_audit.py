"""Contact details that are revealed, and the audit log that says so, in a real browser."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from audit.models import Action, AuditEntry
from tests import casework
from tests.applications.admin.conftest import page as address
from tests.browser.conftest import NARROW

pytestmark = pytest.mark.django_db(transaction=True)

Visit = Callable[..., Page]
Picture = Callable[[Page, str], None]
Inspect = Callable[[Page, str], None]


def test_details_are_masked_until_the_button_is_pressed_and_can_be_edited_then(
    visit: Visit, officer: User, picture: Picture
) -> None:
    application = casework.waiting_for_manager(officer)
    page = visit("officer", at=address("change", application))
    expect(page.locator("#content")).to_contain_text("6••-•••-••01")
    expect(page.locator("#content")).not_to_contain_text("613-555-0101")
    picture(page, "contact-masked")

    page.locator("#reveal").focus()
    page.keyboard.press("Enter")

    expect(page.locator("#contact-state")).to_contain_text("are shown to you until")
    expect(page.locator("#id_phone")).to_have_value("613-555-0101")
    picture(page, "contact-revealed")
    page.fill("#id_phone", "416-555-0202")
    page.click("text=Save contact details")
    expect(page.locator(".messagelist")).to_contain_text("is saved")
    application.refresh_from_db()
    assert application.phone == "416-555-0202"


def test_manager_reveals_without_being_able_to_edit_on_a_telephone(
    visit: Visit, officer: User, manager: User, picture: Picture
) -> None:
    application = casework.waiting_for_manager(officer)
    page = visit("manager", size=NARROW, scheme="dark", at=address("change", application))
    picture(page, "contact-masked-narrow")
    page.click("#reveal")

    expect(page.locator("#content")).to_contain_text("613-555-0101")
    assert page.locator("#id_phone").count() == 0
    picture(page, "contact-revealed-narrow")


def test_auditor_finds_who_asked_and_takes_the_log_away(
    visit: Visit, officer: User, manager: User, auditor: User, picture: Picture
) -> None:
    application = casework.waiting_for_manager(officer)
    page = visit("manager", at=address("change", application))
    page.click("#reveal")
    page.goto(address("change", application))

    page = visit("auditor", at="/admin/audit/auditentry/")
    picture(page, "audit-log")
    page.fill("#searchbar", application.reference)
    page.keyboard.press("Enter")
    expect(page.locator("#result_list")).to_contain_text("Had the contact details shown.")
    picture(page, "audit-log-search")
    with page.expect_download() as coming:
        page.click("text=Export as CSV")
    text = coming.value.path().read_text("utf-8-sig")
    assert "Had the contact details shown." in text
    assert "Signed in." not in text
    assert AuditEntry.objects.get(action=Action.EXPORTED).actor == auditor

    edited = AuditEntry.objects.filter(action=Action.CREATED).latest("id")
    page.goto(f"/admin/audit/auditentry/{edited.pk}/change/")
    expect(page.locator(".before-after")).to_contain_text("6••-•••-••01")
    picture(page, "audit-entry")
    narrow = visit(
        "auditor", size=NARROW, scheme="dark", at=f"/admin/audit/auditentry/{edited.pk}/change/"
    )
    picture(narrow, "audit-entry-narrow")
    narrow.goto("/admin/audit/auditentry/")
    picture(narrow, "audit-log-narrow")


def test_auditor_sees_bands_and_names_no_file_and_the_list_says_what_it_ignored(
    visit: Visit, officer: User, auditor: User, manager: User, inspect: Inspect
) -> None:
    application = casework.funded(officer)
    page = visit("auditor", at=address("change", application))
    expect(page.locator("#application-panels")).to_contain_text("10 to 20 %")
    expect(page.locator("#documents-closed")).to_be_visible()
    assert page.locator("#application-panels .files a").count() == 0
    inspect(page, "hidden-from-auditor")
    page.goto("/admin/applications/loanapplication/?phone__startswith=613")
    expect(page.locator(".messagelist")).to_contain_text("does not offer it: phone__startswith.")
    inspect(page, "filter-ignored")

    page = visit("manager", at=address("change", application))
    page.click("#reveal")
    expect(page.locator("#application-panels")).to_contain_text("17.65 %")
    inspect(page, "shown-to-manager")
    with page.expect_download() as coming:
        page.click("#application-panels .files a")
    assert coming.value.path().read_bytes().startswith(b"%PDF")
    assert AuditEntry.objects.get(action=Action.DOWNLOADED).actor == manager
