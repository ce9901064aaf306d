"""A question and its answer in a real browser: what appears by itself, and what stays typed."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from applications.models import LoanApplication
from reviews.models import InformationRequest
from reviews.services.claims import task_claim
from reviews.services.information import information_ask
from tests.applications.admin.conftest import page as address
from tests.browser.accessibility import violations
from tests.browser.conftest import NARROW

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.long
def test_question_appears_by_itself_and_the_answer_stays_typed_until_it_is_sent(
    visit: Callable[..., Page],
    picture: Callable[[Page, str], None],
    waiting: LoanApplication,
    officer: User,
    manager: User,
) -> None:
    task = waiting.review_tasks.get()
    page = visit("officer", at=address("change", waiting), size=NARROW, scheme="dark")
    expect(page.locator("#press-withdraw")).to_be_visible()

    information_ask(task=task, user=manager, message="Net or gross?")

    expect(page.locator("#application-sent-back")).to_contain_text("waiting for an answer of")
    page.locator("#application-sent-back a").click()
    expect(page.locator("#id_answer")).to_be_focused()
    expect(page.locator("#question p")).to_be_in_viewport(ratio=1)
    page.fill("#id_answer", "Gross.")
    picture(page, "question")
    assert violations(page) == []
    task_claim(task=task, user=manager)
    expect(page.locator("#application-claimed")).to_be_visible()
    expect(page.locator("#id_answer")).to_have_value("Gross.")
    page.click("#press-answer")
    expect(page.locator(".messagelist")).to_contain_text("Your answer is saved")
    assert InformationRequest.objects.get().answer == "Gross."

    asking = visit("manager", at=address("send_back", waiting, task.pk), size=NARROW)
    picture(asking, "send-back")
    assert violations(asking) == []


@pytest.mark.long
def test_bell_leads_a_phone_to_the_note_and_the_words_of_a_notification_stay_apart(
    visit: Callable[..., Page], waiting: LoanApplication, manager: User
) -> None:
    page = visit("manager", at=address("change", waiting), size=NARROW)
    page.fill("#id_text", "@officer is the income net or gross? The slip and the form differ.")
    page.click(".note-form button")
    expect(page.locator(".note")).to_be_in_viewport(ratio=1)
    expect(page.locator("#panel-notes")).to_be_in_viewport()

    task = waiting.review_tasks.get()
    information_ask(task=task, user=manager, message="Is the income on the form net or gross?")
    other = visit("officer", at="/admin/notifications/", size=NARROW)
    link = other.locator(".notification", has_text="sent back with a question")
    row = other.locator("#notifications tr", has=link)
    ends = link.evaluate(
        "e => { const r = document.createRange(); r.selectNodeContents(e);"
        " return r.getBoundingClientRect().bottom }"
    )
    assert ends <= row.locator("time").evaluate("e => e.getBoundingClientRect().top")
