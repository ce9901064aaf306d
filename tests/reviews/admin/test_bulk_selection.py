"""A bulk decision of all that match a filter: what is previewed, and what is too many."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from applications.models import LoanApplication
from reviews.models import DeclineReason
from reviews.services import delegation
from reviews.services.claims import task_claim
from tests import casework
from tests.applications.admin.conftest import LIST, Login
from tests.reviews.admin.bulk_forms import choose

pytestmark = pytest.mark.django_db


def across(client: Client, some: list[LoanApplication], query: str = "") -> Any:
    """Tick a page of rows, then "select all that match", then run the action."""
    return client.post(
        f"{LIST}{query}",
        {
            "action": "approve_selected",
            "index": "0",
            "select_across": "1",
            "_selected_action": [case.pk for case in some],
        },
    )


def test_all_that_match_the_filter_are_previewed_when_they_are_few(
    login: Login, cases: list[LoanApplication], manager: User, draft: LoanApplication
) -> None:
    preview = across(login(manager), cases[:1], "?status__exact=pending_approval")

    assert [row.application for row in preview.context["ready"]] == cases
    assert preview.context["totals"] == [("CAD", 600_000)]
    assert preview.context["narrowed"] is None


def test_of_too_many_the_oldest_that_this_person_can_decide_are_taken_and_the_page_says_so(
    login: Login,
    cases: list[LoanApplication],
    manager: User,
    other: User,
    officer: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reviews.admin.bulk_preview.MOST", 3)
    casework.waiting_for_manager(officer, loan_amount=300_000)
    task_claim(task=cases[0].review_tasks.get(), user=other)
    casework.many_waiting_for_manager(officer, 2)

    preview = across(login(manager), cases[:1])

    assert [row.application for row in preview.context["ready"]] == cases[1:]
    assert not preview.context["refused"]
    html = preview.content.decode()
    assert "7 applications match this filter." in html
    assert "below are the oldest 3 that you can decide" in html


def test_counting_what_matches_is_bounded(
    login: Login,
    cases: list[LoanApplication],
    manager: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reviews.admin.bulk_preview.MOST", 2)
    monkeypatch.setattr("reviews.admin.bulk_choice.MOST_COUNTED", 3)

    html = across(login(manager), cases[:1]).content.decode()

    assert "More than 3 applications match this filter." in html


def test_preview_says_on_whose_behalf_and_offers_the_reasons_that_fit(
    login: Login, officer: User, manager: User, senior: User
) -> None:
    cases = casework.many_waiting_for_manager(officer, 4, loan_amount=300_000)
    now = timezone.now()
    delegation.delegation_create(
        delegator=senior,
        delegate=manager,
        starts_at=now,
        ends_at=now + timezone.timedelta(days=1),
        by=senior,
    )
    DeclineReason.objects.filter(code="OTHER").update(active=False)

    html = choose(login(manager), "decline", cases).content.decode()

    assert html.count("on behalf of senior") == 4
    assert '<option value="INCOME_NOT_VERIFIED">' in html
    assert "FRAUD_CONFIRMED" not in html
    assert "OTHER" not in html
