"""Many decisions at once in a real browser: what failed stays selected."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from applications.models import LoanApplication, ReviewDecision
from applications.services import drafting, review
from applications.vocabulary import Outcome, Role
from tests import casework
from tests.applications.admin.conftest import LIST
from tests.browser.conftest import NARROW, WIDE

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
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
    page = visit("both", size=size, scheme=scheme)
    page.goto(LIST)
    page.check("#action-toggle")
    page.select_option("select[name=action]", "approve_selected")
    page.click("button[name=index]")
    expect(page.locator("#content")).to_contain_text("8 can be decided")
    review.task_decide(
        task=cases[0].review_tasks.get(),
        user=make_user("manager2", Role.MANAGER),
        outcome=Outcome.DECLINE,
        reason="Employment could not be verified.",
    )
    drafting.application_edit(reference=cases[1].reference, user=both, phone="613-555-0198")
    drafting.application_edit(reference=cases[2].reference, user=officer, phone="613-555-0199")

    page.click("#press-approve")

    expect(page.locator(".messagelist .success")).to_have_text("5 applications approved.")
    result = page.locator("#bulk-result")
    expect(result).to_contain_text("5 of 8 approved. 3 not approved")
    expect(result.locator("input[type=checkbox]:checked")).to_have_count(3)
    expect(result).to_contain_text("was already decided (decline) by manager2")
    expect(result).to_contain_text("You last edited")
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
    changed = LoanApplication.objects.get(pk=cases[2].pk)
    assert changed.review_tasks.get().decisions.get().application_version == changed.version == 2
