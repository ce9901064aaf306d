"""Columns that lists are sorted by: which, in what order, and beside which filters."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import F
from django.utils import timezone

from applications.choices import Status
from applications.models import Disbursement, LoanApplication
from core.admin.base import NoDeleteAdmin
from core.admin.orders import Order
from reviews.models import ReviewTask
from tests import casework
from tests.applications.admin.conftest import LIST, Login, login
from webhooks.models import WebhookDelivery
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback

__all__ = ["login"]

TASKS = "/admin/reviews/reviewtask/"
SORTED: dict[type[Any], Any] = {
    model: each
    for model, each in admin.site._registry.items()
    if isinstance(each, NoDeleteAdmin) and each.orders
}


def test_daily_lists_are_sorted_by_status_and_time() -> None:
    for model in (LoanApplication, ReviewTask, Disbursement, Execution, PendingCallback, Incident):
        names = {name.removesuffix("_shown") for name in SORTED[model].orders}
        assert "status" in names, model
        assert len(names) > 1, model
    assert {WebhookDelivery, OutboxMessage} <= SORTED.keys()
    for model, each in SORTED.items():
        columns = {*each.list_display, *getattr(each, "mine_display", ())}
        assert each.orders.keys() <= columns, model


def test_order_of_the_stored_words_is_that_of_the_shown_ones() -> None:
    """Sorting by status is by the word that is shown: an index of the stored ones has it."""
    looked_at = 0
    for model, each in SORTED.items():
        if model is Incident:  # by urgency
            continue
        for order in each.orders.values():
            if order.by[0] == "status":
                choices = dict(model._meta.get_field("status").choices)
                shown = {word: label.lower() for word, label in choices.items()}
                if model is Disbursement:
                    shown["unknown"] = "unknown outcome"
                assert sorted(choices) == sorted(choices, key=shown.__getitem__), model
                looked_at += 1
    assert looked_at == 7


def test_descending_order_is_the_opposite_of_each_part() -> None:
    order = Order(("status", "-created_at", F("id").asc()))

    first, second, third = order.descending()

    assert (first, second) == ("-status", "created_at")
    assert getattr(third, "descending", False) is True
    assert order.by[2] == F("id").asc()


@pytest.mark.django_db
def test_tasks_are_sorted_by_due_time_in_both_directions_and_mine_as_well(
    login: Login, officer: User, manager: User
) -> None:
    now = timezone.now()
    for number, hours in enumerate((3, 1, 2)):
        task = casework.waiting_for_manager(officer).review_tasks.get()
        ReviewTask.objects.filter(pk=task.pk).update(due_at=now + timedelta(hours=hours))
        assert number < 3
    client = login(manager)

    def shown(query: str, column: str) -> list[int]:
        columns = client.get(f"{TASKS}?{query}").context["cl"].list_display
        place = columns.index(column.removeprefix("-"))
        sign = "-" if column.startswith("-") else ""
        answer = client.get(f"{TASKS}?{query}&o={sign}{place}")
        assert not list(answer.context["messages"])
        return [
            round((task.due_at - now) / timedelta(hours=1))
            for task in answer.context["cl"].result_list
        ]

    assert shown("", "due") == [1, 2, 3]
    assert shown("", "-due") == [3, 2, 1]
    assert shown("mine=yes", "due_soon") == [1, 2, 3]
    assert shown("mine=yes", "-due_soon") == [3, 2, 1]


@pytest.mark.django_db
def test_applications_are_sorted_by_the_word_of_the_status_and_by_wait_of_one_who_is_waited_for(
    login: Login, officer: User, auditor: User
) -> None:
    late, soon = (casework.waiting_for_manager(officer) for _ in range(2))
    now = timezone.now()
    for application, days in ((late, 5), (soon, 2)):
        until = now + timedelta(days=days)
        LoanApplication.objects.filter(pk=application.pk).update(waiting_until=until)
    casework.submit(officer)
    client = login(auditor)

    by_status = client.get(f"{LIST}?o=3").context["cl"].result_list
    assert [row.status for row in by_status] == [
        Status.PENDING_APPROVAL,
        Status.PENDING_APPROVAL,
        Status.SUBMITTED,
    ]
    waiting = client.get(f"{LIST}?waiting_on__exact=manager&o=5")
    assert [row.pk for row in waiting.context["cl"].result_list] == [soon.pk, late.pk]
    # Beside other filters it would sort all rows that they find: the heading offers nothing.
    other = client.get(f"{LIST}?current_step__exact=manager_approval&o=3")
    assert [str(message) for message in other.context["messages"]] == [
        "Ignored in this page's address, as the list does not offer it: o."
    ]
