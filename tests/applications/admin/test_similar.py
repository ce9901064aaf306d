"""Applications that may ask the same twice: everyone who reads one is told, nobody is stopped."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from applications.choices import Status
from applications.models import LoanApplication
from applications.selectors import similar_applications
from lending.choices import Outcome
from partners.models import Partner
from reviews.services import decisions
from tests import casework
from tests.applications.admin.conftest import ADD, Login, decide_page, page, said
from tests.applications.admin.test_form import TYPED

pytestmark = pytest.mark.django_db
ASKED_BEFORE = "Asked before?"


def aged(application: LoanApplication, days: float) -> LoanApplication:
    """Move the application to so many days ago."""
    application.created_at -= timedelta(days=days)
    application.save(update_fields=["created_at"])
    return application


@pytest.fixture
def earlier(partner: Partner) -> LoanApplication:
    return aged(casework.submit(None, partner=partner, applicant_name="ALICE  Johnsón"), 29)


def link(application: LoanApplication) -> str:
    return f'<a href="{page("change", application)}">{application.reference}</a>'


@pytest.mark.parametrize("button", ["_save", "_submit"])
def test_form_warns_with_links_and_does_what_was_asked(
    login: Login, officer: User, earlier: LoanApplication, button: str
) -> None:
    client = login(officer)

    answer = client.post(ADD, {**TYPED, button: "yes"})

    stored = LoanApplication.objects.exclude(pk=earlier.pk).get()
    assert stored.status == (Status.DRAFT if button == "_save" else Status.SUBMITTED)
    assert said(answer)[1] == (
        f"Asked before? The same name and last digits of the SIN: {link(earlier)}."
    )
    html = client.get(page("change", stored)).text
    assert ASKED_BEFORE in html.partition('id="similar-applications"')[2]
    assert link(earlier) in html.partition('id="similar-applications"')[2]


def test_page_of_the_earlier_one_links_to_the_later_one(
    login: Login, officer: User, earlier: LoanApplication
) -> None:
    later = casework.submit(officer)

    assert link(later) in login(officer).get(page("change", earlier)).text


@pytest.mark.parametrize(
    ("fields", "days"),
    [
        ({"applicant_name": "Alice Johnston"}, 0),
        ({"sin_last4": "1112"}, 0),
        ({}, 30.5),
    ],
)
def test_other_name_other_digits_and_longer_ago_are_no_warning(
    login: Login, officer: User, fields: dict[str, str], days: float
) -> None:
    aged(casework.submit(officer, **fields), days)

    answer = login(officer).post(ADD, {**TYPED, "_submit": "yes"})

    stored = LoanApplication.objects.latest("pk")
    assert len(said(answer)) == 1
    assert ASKED_BEFORE not in login(officer).get(page("change", stored)).text


def test_approval_warns_with_links_and_can_be_given(
    login: Login, manager: User, earlier: LoanApplication, waiting: LoanApplication
) -> None:
    html = login(manager).get(decide_page(waiting, "approve")).text

    assert link(earlier) in html.partition('id="similar-applications"')[2]
    task = waiting.review_tasks.get()
    decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE, version=waiting.version)
    assert task.decisions.get().outcome == Outcome.APPROVE


def test_bulk_approval_warns_with_links(
    login: Login, manager: User, earlier: LoanApplication, waiting: LoanApplication
) -> None:
    html = (
        login(manager)
        .post(
            "/admin/applications/loanapplication/",
            {"action": "approve_selected", "_selected_action": [waiting.pk]},
        )
        .text
    )

    assert ASKED_BEFORE in html
    assert link(earlier) in html


def test_many_applications_take_one_query(officer: User) -> None:
    rows = [casework.submit(officer) for _ in range(3)]
    rows.append(casework.submit(officer, applicant_name="Bob"))

    with CaptureQueriesContext(connection) as captured:
        found = similar_applications(rows)

    assert len(captured) == 1
    assert {pk: [row.pk for row in others] for pk, others in found.items()} == {
        rows[0].pk: [rows[2].pk, rows[1].pk],
        rows[1].pk: [rows[2].pk, rows[0].pk],
        rows[2].pk: [rows[1].pk, rows[0].pk],
    }
