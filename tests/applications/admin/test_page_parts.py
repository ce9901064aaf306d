"""Parts of an application's page: each reason once, contact first, panels by role."""

import re

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from applications.models import LoanApplication
from lending.choices import Outcome
from partners.models import Partner
from reviews.choices import TaskKind
from reviews.services import decisions
from tests import casework
from tests.applications.admin.conftest import Login, page
from webhooks.endpoints import endpoint_create
from workflows.steps import review

pytestmark = pytest.mark.django_db
LOG = re.compile(r'<ol id="application-log".*?</ol>', re.DOTALL)
ENGINE = ('id="panel-executions"', 'id="panel-webhooks"')


def without_log(html: str) -> str:
    """Return the page without its record, which keeps what was said when."""
    return LOG.sub("", html)


def test_each_reason_is_on_the_page_once(
    login: Login, auditor: User, waiting: LoanApplication, officer: User
) -> None:
    too_much = casework.submit(officer, sin_last4="3333", loan_amount=26_000)
    casework.assess(too_much)
    client = login(auditor)

    for application, sentence in (
        (waiting, "The amount is at or above the approval threshold."),
        (too_much, "The amount is above the largest loan for this credit tier."),
    ):
        html = without_log(client.get(page("change", application)).text)
        assert html.count(sentence) == 1
        assert html.index(sentence) < html.index('id="application-steps"')


def test_reason_of_whoever_declined_is_on_the_page_once(
    login: Login, auditor: User, manager: User, waiting: LoanApplication
) -> None:
    decisions.task_decide(
        task=waiting.review_tasks.get(),
        user=manager,
        outcome=Outcome.DECLINE,
        reason="Too few payslips.",
    )
    review.declined_on_review(casework.run_of(waiting), TaskKind.MANAGER_APPROVAL)

    html = without_log(login(auditor).get(page("change", waiting)).text)

    assert html.count("Too few payslips.") == 1
    # Why it was asked is another reason, which the decision does not repeat.
    assert html.count("The amount is at or above the approval threshold.") == 1


def test_contact_details_come_before_the_panels_and_once(
    login: Login, manager: User, waiting: LoanApplication
) -> None:
    client = login(manager)
    hidden = client.get(page("change", waiting)).text
    client.post(page("reveal", waiting))
    shown = client.get(page("change", waiting)).text

    for html, phone in ((hidden, "613-555-0101"), (shown, "613-555-0101")):
        assert html.index('id="contact"') < html.index('id="application-panels"')
        assert html.count(phone) == (html is shown)
        assert html.count("Annual income") == 1
    assert 'id="reveal"' in hidden
    assert 'id="reveal"' not in shown


def test_live_part_hides_contact_details_again_with_the_time(
    login: Login, manager: User, waiting: LoanApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = login(manager)
    client.post(page("reveal", waiting))
    shown = client.get(page("live", waiting))
    session = client.session
    session["contact_revealed"] = {str(waiting.pk): 0}
    session.save()

    again = client.get(page("live", waiting), headers={"If-None-Match": shown.headers["ETag"]})

    assert "613-555-0101" in shown.text
    assert again.status_code == 200
    assert "613-555-0101" not in again.text
    assert 'form="reveal-form"' in again.text
    # The form that the button belongs to is on the page from the start.
    assert client.get(page("change", waiting)).text.count('id="reveal-form"') == 1


def test_who_may_change_contact_details_types_them_below_and_nobody_else_has_a_form(
    login: Login, officer: User, manager: User, waiting: LoanApplication
) -> None:
    client = login(officer)
    assert 'name="phone"' not in client.get(page("change", waiting)).text
    client.post(page("reveal", waiting))
    html = client.get(page("change", waiting)).text
    assert 'name="phone"' in html
    assert 'href="#loanapplication_form"' in html

    reader = login(manager)
    reader.post(page("reveal", waiting))
    assert 'name="phone"' not in reader.get(page("change", waiting)).text


def test_panels_of_engine_and_webhooks_are_for_operations(
    login: Login,
    auditor: User,
    manager: User,
    officer: User,
    operations: User,
    partner: Partner,
) -> None:
    endpoint_create(partner=partner, url="https://partner.example.com/", event_types=None)
    application = casework.waiting_for_manager(None, partner=partner)
    found = {
        user.username: [
            part in login(user).get(page("change", application)).text for part in ENGINE
        ]
        for user in (officer, manager, auditor, operations)
    }

    assert found == {
        "officer": [False, False],
        "manager": [False, False],
        "auditor": [False, False],
        "operations": [True, True],
    }


def test_timeline_opens_on_people_and_application(
    login: Login, auditor: User, waiting: LoanApplication
) -> None:
    client = login(auditor)
    address = reverse("admin:applications_loanapplication_timeline", args=[waiting.pk])

    opened = client.get(address)
    everything = client.get(f"{address}?show=person&show=application&show=workflow")

    chosen = {source.value for source, is_chosen in opened.context["sources"] if is_chosen}
    assert chosen == {"person", "application"}
    assert "Execution queued" not in opened.text
    assert "Execution queued" in everything.text
