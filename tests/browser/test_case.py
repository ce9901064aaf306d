"""One case in a real browser: filled in, submitted, watched, decided."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, Route, expect

from accounts.roles import Role
from applications.choices import Status
from applications.models import LoanApplication
from applications.services import intake
from reviews.choices import TaskKind
from reviews.models import ReviewDecision
from tests import casework
from tests.applications.admin.conftest import ADD, LIST
from tests.applications.admin.conftest import page as address
from tests.sizes import some
from workflows import handover
from workflows.steps import offer, payout, review

pytestmark = pytest.mark.django_db(transaction=True)

Visit = Callable[..., Page]
Picture = Callable[[Page, str], None]


def mark(page: Page) -> None:
    """Leave something on the page that a reload would take away."""
    page.evaluate("window.notReloaded = true")


def not_reloaded(page: Page) -> bool:
    return bool(page.evaluate("window.notReloaded === true"))


def test_profile_in_one_click_submit_and_the_page_follows_without_a_reload(
    visit: Visit, officer: User, manager: User, picture: Picture
) -> None:
    page = visit("officer", at=ADD)
    page.click("#profile-1111")
    expect(page.locator("#id_applicant_name")).to_have_value("Alice Johnson")
    picture(page, "add")
    page.click("text=Submit application")
    expect(page.locator("#application-head .badge")).to_have_text("Submitted")
    mark(page)
    application = LoanApplication.objects.get()

    casework.assess(application)
    expect(page.locator("#application-log")).to_contain_text("Equifax: score 782")
    expect(page.locator("#panel-credit")).to_be_visible()

    application.refresh_from_db()
    casework.ask(application)
    expect(page.locator("#application-head .badge").first).to_have_text("Pending approval")
    expect(page.locator(".step[aria-current=step]")).to_contain_text("Manager approval")
    assert not_reloaded(page)

    deciding = visit("manager", at=address("change", application))
    deciding.click("#press-approve")
    expect(deciding.locator("#content")).to_contain_text("150,000.00")
    picture(deciding, "approve")
    deciding.click("button.press-good")
    expect(deciding.locator(".messagelist .success")).to_contain_text("approved")
    expect(deciding.locator("#application-notices")).to_contain_text("Delivery pending")

    expect(page.locator("#application-log")).to_contain_text("Manager approval: approved.")
    run = casework.run_of(application)
    casework.pass_fraud_check(application)
    offer.offer_begin(run)
    casework.make_offer(run)
    expect(page.locator("#panel-offer")).to_be_visible()
    page.click("text=Repayment schedule")
    page.focus("#application-log")
    payout.disbursement_request(run)
    payout.disbursement_settle(run, rail_reference="RAIL-1")
    expect(page.locator("#application-head .badge").first).to_have_text("Funded")
    expect(page.locator("details[open] table")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "application-log"
    assert not_reloaded(page)
    assert page.locator("#application-log > li").count() == application.events.count()


def test_polls_stop_when_the_case_is_closed(visit: Visit, officer: User, auditor: User) -> None:
    application = casework.submit(officer)
    page = visit("auditor", at=address("change", application))
    intake.application_withdraw(reference=application.reference, user=officer)
    expect(page.locator("#application-head .badge").first).to_have_text("Withdrawn")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(2500)

    assert asked == []


def test_polls_answer_304_and_survive_a_failure(
    visit: Visit, officer: User, auditor: User, complaints: list[str]
) -> None:
    application = casework.submit(officer)
    page = visit("auditor", at="")
    statuses: list[int] = []
    page.on("response", lambda answer: statuses.append(answer.status))
    page.goto(address("change", application))
    page.wait_for_timeout(3500)
    assert statuses[-1] == 304

    def fail(route: Route) -> None:
        route.abort()

    page.route("**/live/", fail)
    expect(page.locator("#live-state")).to_contain_text("Trying again")
    page.unroute("**/live/", fail)
    casework.assess(application)
    expect(page.locator("#application-log")).to_contain_text("Equifax")
    expect(page.locator("#live-state")).to_be_empty()
    complaints[:] = [said for said in complaints if "ERR_FAILED" not in said]


def test_log_in_that_ran_out_is_said(visit: Visit, officer: User, auditor: User) -> None:
    application = casework.submit(officer)
    page = visit("auditor", at=address("change", application))
    page.context.clear_cookies()

    expect(page.locator("#live-state")).to_contain_text("You are logged out")


def test_decline_asks_for_a_reason_and_records_it(
    visit: Visit, officer: User, manager: User, picture: Picture
) -> None:
    application = casework.waiting_for_manager(officer)
    page = visit("manager", at=address("change", application))
    page.click("#press-decline")

    page.click("button.press-bad")
    expect(page.locator(".errorlist")).to_be_visible()
    picture(page, "decline-without-reason")
    page.select_option("#id_reason_code", "OTHER")
    page.fill("#id_reason", "Employment could not be verified.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/change/")

    assert ReviewDecision.objects.get().reason == "Employment could not be verified."
    review.declined_on_review(casework.run_of(application), TaskKind.MANAGER_APPROVAL)
    expect(page.locator("#application-head .badge").first).to_have_text("Declined")
    expect(page.locator(".step-failed")).to_contain_text("Manager approval")
    picture(page, "declined")


def test_bulk_approval_with_a_row_that_fails(
    visit: Visit, officer: User, manager: User, picture: Picture
) -> None:
    for number in range(3):
        casework.waiting_for_manager(officer, applicant_name=f"Person {number}")
    casework.waiting_for_manager(officer, loan_amount=300_000, applicant_name="Above the ceiling")
    page = visit("manager", at=LIST)
    page.check("#action-toggle")
    page.select_option("select[name=action]", "approve_selected")
    page.click("button[name=index]")
    expect(page.locator("#content")).to_contain_text("3 can be decided")
    expect(page.locator("#content")).to_contain_text("450,000.00")
    picture(page, "bulk")
    LoanApplication.objects.filter(applicant_name="Person 1").update(version=7)

    page.click("#press-approve")

    expect(page.locator(".messagelist .success")).to_have_text("2 applications approved.")
    expect(page.locator(".messagelist .error")).to_contain_text("you read version 1")
    picture(page, "bulk-done")
    assert ReviewDecision.objects.count() == 2


@pytest.mark.long
def test_every_page_is_drawn_without_a_complaint(
    visit: Visit,
    make_user: Callable[..., User],
    inspect: Picture,
) -> None:
    officer = make_user("officer", Role.LOAN_OFFICER)
    make_user("root", *Role, is_superuser=True)
    waiting = casework.waiting_for_manager(officer)
    draft = intake.application_create(user=officer, **casework.ALICE)
    stuck = casework.submit(officer, loan_amount=20_000)
    casework.assess(stuck)
    handover.needs_attention(casework.run_of(stuck), sentence="The fraud check is silent.")
    page = visit("root", at="")
    task = waiting.review_tasks.get()
    pages = {
        "index": "/admin/",
        "list": LIST,
        "list-filtered": f"{LIST}?status__exact={Status.PENDING_APPROVAL}",
        "add": f"{ADD}?profile=4444",
        "draft": address("change", draft),
        "waiting": address("change", waiting),
        "stuck": address("change", stuck),
        "decide": address("decide", waiting, task.pk, "decline"),
        "withdraw": address("withdraw", waiting),
        "restart": address("restart", stuck),
        "tasks": "/admin/reviews/reviewtask/",
        "policies": "/admin/lending/lendingpolicy/",
        "policy": "/admin/lending/lendingpolicy/add/",
        "executions": "/admin/workflows/execution/",
        "outbox": "/admin/workflows/outboxmessage/",
    }
    for name, where in some(pages.items(), of=5):
        page.goto(where)
        inspect(page, name)
