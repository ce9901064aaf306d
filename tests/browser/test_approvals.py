"""Approvals in a real browser: what counts, what counts no more, and who may stand in."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.roles import Role
from applications.models import LoanApplication
from applications.services import intake
from audit.models import Action, AuditEntry
from lending.choices import Outcome
from reviews.services import decisions
from reviews.services.delegation import delegation_create
from tests import casework
from tests.applications.admin.conftest import decide_page
from tests.applications.admin.conftest import page as address
from tests.browser.conftest import NARROW, WIDE

pytestmark = pytest.mark.django_db(transaction=True)
MINE = "/admin/reviews/reviewtask/?mine=yes"
DELEGATIONS = "/admin/reviews/delegation/"


def at_both_widths(page: Page, picture: Callable[[Page, str], None], name: str) -> None:
    """See that nothing is cut on a desk and on a phone; the page is then as wide as before."""
    for width, height in (NARROW, WIDE):
        page.set_viewport_size({"width": width, "height": height})
        picture(page, f"{name}-{width}")


@pytest.fixture
def edited(officer: User, senior: User) -> LoanApplication:
    """Approved by one of two, and changed after that."""
    application = casework.waiting_for_manager(officer, loan_amount=600_000)
    task = application.review_tasks.get()
    decisions.task_decide(task=task, user=senior, outcome=Outcome.APPROVE)
    return intake.application_edit(
        reference=application.reference, user=officer, phone="613-555-0177"
    )


def test_voided_approval_is_seen_wherever_approvals_are(
    visit: Callable[..., Page],
    picture: Callable[[Page, str], None],
    make_user: Callable[..., User],
    edited: LoanApplication,
) -> None:
    make_user("senior2", Role.SENIOR_MANAGER)
    page = visit("senior2", at=MINE)
    why = "The application was changed after it: phone."

    expect(page.locator("#result_list")).to_contain_text("0 of 2 given")
    at_both_widths(page, picture, "voided-mine")
    page.goto(address("change", edited))
    expect(page.locator(".approvals").first).to_contain_text("0 of 2 given")
    expect(page.locator(".given")).to_contain_text("Voided, counts no more")
    expect(page.locator(".given")).to_contain_text(why)
    at_both_widths(page, picture, "voided-application")
    page.goto(decide_page(edited, "approve"))
    expect(page.locator(".approvals")).to_contain_text("0 of 2 given")
    at_both_widths(page, picture, "voided-decide")
    page.goto("/admin/reviews/reviewdecision/")
    expect(page.locator("#result_list")).to_contain_text("Voided, counts no more")
    at_both_widths(page, picture, "voided-decisions")


def test_tasks_are_handed_to_somebody_with_the_role_alone(
    visit: Callable[..., Page],
    picture: Callable[[Page, str], None],
    make_user: Callable[..., User],
    officer: User,
    auditor: User,
    manager: User,
    senior: User,
) -> None:
    now = timezone.now()
    make_user("root", is_superuser=True)
    delegation_create(
        delegator=senior,
        delegate=manager,
        starts_at=now,
        ends_at=now + timedelta(days=7),
        by=senior,
    )
    page = visit("senior", at=f"{DELEGATIONS}add/")

    choices = page.locator("#id_delegate option").all_inner_texts()
    assert choices == ["Choose somebody", "manager"]
    at_both_widths(page, picture, "delegation-add")
    page.goto(DELEGATIONS)
    at_both_widths(page, picture, "delegations")


def test_contact_details_are_revealed_in_place(
    visit: Callable[..., Page],
    picture: Callable[[Page, str], None],
    manager: User,
    officer: User,
) -> None:
    application = casework.waiting_for_manager(officer)
    page = visit("manager", at=decide_page(application, "decline"), size=NARROW)
    page.fill("#id_reason", "Half a sentence")
    page.locator("#reveal").scroll_into_view_if_needed()
    place = "[Math.round(document.getElementById('decide-contact').getBoundingClientRect().top), "
    place += "performance.timeOrigin]"  # on the screen, and of this load of the page
    before = page.evaluate(place)

    page.click("#reveal")

    expect(page.locator("#contact")).to_contain_text("613-555-0101")
    expect(page.locator("#decide-what")).to_contain_text("40.21 %")
    expect(page.locator("#in-place-state")).to_contain_text("The audit log says so.")
    assert page.evaluate(place) == before
    expect(page.locator("#id_reason")).to_have_value("Half a sentence")
    expect(page.locator("#contact")).to_be_focused()
    entry = AuditEntry.objects.get(action=Action.REVEALED)
    assert entry.actor == manager
    picture(page, "decide-revealed")
