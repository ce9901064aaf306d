"""Lists of review tasks and decisions: those that count, and those that came too late."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from applications.models import LoanApplication
from lending.choices import Outcome
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions, tasks
from reviews.services.delegation import delegation_create
from tests import casework
from tests.applications.admin.conftest import Login, page
from tests.workflows import trouble

DECISIONS = "/admin/reviews/reviewdecision/"
TASKS = "/admin/reviews/reviewtask/"
APPROVED = '<span class="badge tone-good">Approved</span>'
LATE = '<span class="badge tone-wait">Late, not applied</span>'


@pytest.fixture
def late(officer: User, manager: User) -> LoanApplication:
    return trouble.expired_then_approved(officer, manager).application


def html_of(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def test_late_approval_is_never_an_approval_badge(
    login: Login, auditor: User, late: LoanApplication
) -> None:
    client = login(auditor)
    decision = ReviewDecision.objects.get()

    for address in (
        page("change", late),
        page("live", late),
        DECISIONS,
        f"{DECISIONS}{decision.pk}/change/",
    ):
        html = html_of(client, address)
        assert LATE in html, address
        assert APPROVED not in html, address


def test_decision_that_became_late_changes_the_page_that_polls(
    login: Login, auditor: User, officer: User, manager: User
) -> None:
    application = casework.waiting_for_manager(officer)
    decisions.task_decide(
        task=application.review_tasks.get(), user=manager, outcome=Outcome.APPROVE
    )
    client = login(auditor)
    first = client.get(page("live", application))
    assert APPROVED in first.content.decode()

    ReviewDecision.objects.update(late=True)

    answer = client.get(page("live", application), headers={"If-None-Match": first.headers["ETag"]})
    assert answer.status_code == 200
    assert LATE in answer.content.decode()


def test_list_filters_what_came_too_late(
    login: Login, auditor: User, late: LoanApplication, officer: User, manager: User
) -> None:
    on_time = casework.waiting_for_manager(officer)
    decisions.task_decide(task=on_time.review_tasks.get(), user=manager, outcome=Outcome.APPROVE)
    client = login(auditor)

    found = client.get(f"{DECISIONS}?late__exact=1").context["cl"].result_list

    assert [decision.task.application for decision in found] == [late]
    assert APPROVED in html_of(client, f"{DECISIONS}?late__exact=0")


def test_decisions_cost_the_same_however_many_there_are(
    login: Login, auditor: User, officer: User, make_user: Any, django_assert_num_queries: Any
) -> None:
    for number in range(6):
        application = casework.waiting_for_manager(officer)
        decisions.task_decide(
            task=application.review_tasks.get(),
            user=make_user(f"manager{number}", Role.MANAGER),
            outcome=Outcome.APPROVE,
        )
    client = login(auditor)

    # Session, user, two of permissions, the bell, a count, the rows.
    with django_assert_num_queries(7):
        assert len(client.get(DECISIONS).context["cl"].result_list) == 6


def test_tasks_show_that_they_were_reminded_of_and_escalated(
    login: Login, auditor: User, officer: User
) -> None:
    client = login(auditor)
    application = casework.waiting_for_manager(officer)
    task = application.review_tasks.get()
    now = timezone.now()
    assert "Reminded" not in html_of(client, TASKS)

    tasks.task_remind(application=application, task=task, now=now)
    assert '<span class="badge tone-wait">Reminded</span>' in html_of(client, TASKS)
    assert "<dt>Reminded</dt>" in html_of(client, page("change", application))

    tasks.task_escalate(application=application, task=task, now=now)
    assert '<span class="badge tone-alert">Escalated</span>' in html_of(client, TASKS)
    assert "<dt>Escalated</dt>" in html_of(client, page("change", application))

    ReviewTask.objects.update(status="cancelled")
    assert '<span class="badge tone-quiet">Escalated</span>' in html_of(client, TASKS)


def test_decision_on_somebodys_behalf_names_both_also_when_it_came_too_late(
    login: Login, officer: User, manager: User, senior: User
) -> None:
    now = timezone.now()
    delegation_create(
        delegator=senior,
        delegate=manager,
        starts_at=now - timedelta(days=1),
        ends_at=now + timedelta(days=1),
        by=senior,
    )
    late = trouble.expired_then_approved(officer, manager, loan_amount=300_000).application
    client = login(manager)

    assert "“Approve” by manager on behalf of senior, <time" in html_of(
        client, page("change", late)
    )
    assert "manager on behalf of senior</td>" in html_of(client, DECISIONS)
    assert APPROVED not in html_of(client, DECISIONS)
