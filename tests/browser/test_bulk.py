"""Many decisions at once in a real browser: what failed stays selected."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from accounts.roles import Role
from applications.models import LoanApplication
from applications.services import intake
from lending.choices import Outcome
from reviews.models import ReviewDecision
from reviews.services import decisions
from tests import casework
from tests.applications.admin.conftest import LIST
from tests.browser.conftest import LOOKS, NARROW, WIDE
from workflows.models import OutboxMessage, PendingCallback

pytestmark = pytest.mark.django_db(transaction=True)
MINE = "/admin/reviews/reviewtask/?mine=yes"


@pytest.mark.long
@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_rows_that_failed_stay_selected_and_are_decided_after_another_look(
    visit: Callable[..., Page],
    make_user: Callable[..., User],
    picture: Callable[[Page, str], None],
    size: tuple[int, int],
    scheme: str,
) -> None:
    officer = make_user("officer", Role.LOAN_OFFICER)
    both = make_user("both", Role.LOAN_OFFICER, Role.MANAGER)
    cases = casework.many_waiting_for_manager(officer, 8)
    page = visit("both", size=size, scheme=scheme, at=LIST)
    page.check("#action-toggle")
    page.select_option("select[name=action]", "approve_selected")
    page.click("button[name=index]")
    expect(page.locator("#content")).to_contain_text("8 can be decided")
    expect(page.locator("#press-approve")).to_be_in_viewport(ratio=1)  # without scrolling
    decisions.task_decide(
        task=cases[0].review_tasks.get(),
        user=make_user("manager2", Role.MANAGER),
        outcome=Outcome.DECLINE,
        reason="Employment could not be verified.",
    )
    intake.application_edit(reference=cases[1].reference, user=both, phone="613-555-0198")
    intake.application_edit(reference=cases[2].reference, user=officer, phone="613-555-0199")

    page.click("#press-approve")

    page.wait_for_url("**/admin/reviews/bulkdecision/*/change/")
    expect(page.locator(".messagelist .success")).to_have_text("5 applications approved.")
    result = page.locator("#bulk-result")
    expect(result).to_contain_text("5 of 8 approved. 3 not approved")
    expect(result.locator("input[type=checkbox]:checked")).to_have_count(3)
    expect(result).to_contain_text("was already decided (decline) by manager2")
    expect(result).to_contain_text("You edited")
    expect(result).to_contain_text("you read version 1")
    picture(page, f"bulk-result-{size[0]}-{scheme}")
    page.reload()
    expect(result.locator("input[type=checkbox]:checked")).to_have_count(3)
    assert ReviewDecision.objects.count() == 6

    result.locator("input[type=checkbox]").first.uncheck()
    page.click("#press-again")
    expect(page.locator("#content")).to_contain_text("1 can be decided")
    expect(page.locator("#content")).to_contain_text("1 cannot be decided")
    picture(page, f"bulk-again-{size[0]}-{scheme}")
    page.click("#press-approve")
    expect(page.locator(".messagelist .success")).to_have_text("1 application approved.")
    expect(result).to_have_count(0)
    picture(page, f"bulk-done-{size[0]}-{scheme}")
    changed = LoanApplication.objects.get(pk=cases[2].pk)
    assert changed.review_tasks.get().decisions.get().application_version == changed.version == 2


def test_rows_that_failed_stay_selected_above_the_list_too(
    visit: Callable[..., Page], make_user: Callable[..., User]
) -> None:
    officer = make_user("officer", Role.LOAN_OFFICER)
    make_user("manager", Role.MANAGER)
    cases = casework.many_waiting_for_manager(officer, 3)
    page = visit("manager", at=LIST)
    choose_all(page, "approve_selected")
    intake.application_edit(reference=cases[0].reference, user=officer, phone="613-555-0199")
    page.click("#press-approve")
    expect(page.locator("#bulk-result input[type=checkbox]:checked")).to_have_count(1)

    page.goto(LIST)

    result = page.locator("#bulk-result")
    expect(result).to_contain_text("2 of 3 approved")
    expect(result.locator("input[type=checkbox]:checked")).to_have_count(1)
    result.get_by_role("link", name="each row's result").click()
    page.wait_for_url("**/admin/reviews/bulkdecision/*/change/")
    page.goto(LIST)
    page.click("#press-dismiss")
    expect(result).to_have_count(0)


@pytest.mark.long
@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_deliveries_are_counted_while_one_looks_and_the_asking_ends(
    visit: Callable[..., Page],
    make_user: Callable[..., User],
    picture: Callable[[Page, str], None],
    size: tuple[int, int],
    scheme: str,
) -> None:
    officer = make_user("officer", Role.LOAN_OFFICER)
    make_user("manager", Role.MANAGER)
    casework.many_waiting_for_manager(officer, 6)
    page = visit("manager", size=size, scheme=scheme, at=LIST)
    choose_all(page, "decline_selected")
    page.select_option("#id_reason_code", "INCOME_NOT_VERIFIED")
    picture(page, f"bulk-decline-{size[0]}-{scheme}")
    page.click("#press-decline")
    expect(page.locator("#count-decided")).to_contain_text("6")
    expect(page.locator("#count-pending")).to_contain_text("6")
    expect(page.locator("#bulk-run")).to_have_attribute("data-live", "on")
    picture(page, f"bulk-run-{size[0]}-{scheme}")

    callbacks = list(PendingCallback.objects.order_by("pk"))
    PendingCallback.objects.filter(pk__in=[found.pk for found in callbacks[:4]]).update(
        status="delivered"
    )
    expect(page.locator("#count-delivered")).to_contain_text("4")
    expect(page.locator("#count-pending")).to_contain_text("2")

    OutboxMessage.objects.filter(callback=callbacks[4]).update(status="dead")
    PendingCallback.objects.filter(pk=callbacks[5].pk).update(status="delivered")
    expect(page.locator("#count-dead")).to_contain_text("1")
    expect(page.locator("#count-delivered")).to_contain_text("5")
    expect(page.locator("#count-pending")).to_have_count(0)
    expect(page.locator("#bulk-run")).to_have_attribute("data-live", "off")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_task_is_claimed_on_my_approvals_seen_by_others_and_released_on_its_page(
    visit: Callable[..., Page],
    make_user: Callable[..., User],
    picture: Callable[[Page, str], None],
    size: tuple[int, int],
) -> None:
    officer = make_user("officer", Role.LOAN_OFFICER)
    make_user("manager", Role.MANAGER)
    make_user("manager2", Role.MANAGER)
    case = casework.many_waiting_for_manager(officer, 3)[0]
    address = f"/admin/applications/loanapplication/{case.pk}/change/"
    mine, theirs = visit("manager", size=size, at=MINE), visit("manager2", size=size, at=address)
    expect(theirs.locator("#press-approve")).to_be_visible()

    choose_all(mine, "claim_selected")

    expect(mine.locator(".messagelist .success")).to_have_text("3 claimed.")
    picture(mine, f"my-approvals-{size[0]}")
    expect(theirs.locator("#application-claimed")).to_contain_text(
        "by manager since"
    )  # without a reload
    expect(theirs.locator("#press-approve")).to_have_count(0)
    expect(theirs.locator("#application-notices")).to_contain_text("is claimed by manager")
    mine.goto(address)
    mine.click("#press-release")
    expect(mine.locator(".messagelist .success")).to_contain_text("is released.")
    picture(mine, f"application-claim-{size[0]}")
    expect(theirs.locator("#press-approve")).to_be_visible()
    mine.goto("/admin/reviews/reviewtask/?mine=claimed")
    expect(mine.locator("#result_list tbody tr")).to_have_count(2)


def choose_all(page: Page, action: str) -> None:
    """Tick every row of the list that is shown and run the action."""
    page.check("#action-toggle")
    page.select_option("select[name=action]", action)
    page.click("button[name=index]")
