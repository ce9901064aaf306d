"""Case 01: 32 people decide one task at the same moment: one decision, one delivery.

Real threads with connections of their own, on SQLite and on PostgreSQL alike.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from accounts.roles import Role
from applications.models import ApplicationEvent, LoanApplication
from audit import times
from lending.choices import Outcome
from reviews.errors import AlreadyDecided
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions
from tests import casework
from tests.applications.admin.conftest import Login, decide_page, page, said
from tests.hard_cases.together import together
from tests.partners.api.calls import assert_problem, path
from workflows.models import OutboxMessage, PendingCallback

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.both_databases,
]

MANY = 32
REASON = "No."


@pytest.fixture
def managers(make_user: Callable[..., User]) -> list[User]:
    return [make_user(f"manager{number}", Role.MANAGER) for number in range(MANY)]


@pytest.fixture
def seniors(make_user: Callable[..., User]) -> list[User]:
    return [make_user(f"senior{number}", Role.SENIOR_MANAGER) for number in range(MANY)]


def outcome_of(number: int) -> Outcome:
    """Every other one approves."""
    return Outcome.DECLINE if number % 2 else Outcome.APPROVE


def decide(task: ReviewTask, user: User, outcome: Outcome) -> ReviewDecision:
    return decisions.task_decide(
        task=ReviewTask.objects.select_related("application").get(pk=task.pk),
        user=User.objects.get(pk=user.pk),
        outcome=outcome,
        reason=REASON,
        version=1,
    )


def assert_one_decision(task: ReviewTask) -> ReviewDecision:
    """Exactly one decision with all that belongs to it; it is given back."""
    decision = ReviewDecision.objects.get(task=task)
    task.refresh_from_db()
    assert (task.status, task.outcome) == ("decided", decision.outcome)
    message = OutboxMessage.objects.get(
        kind=OutboxMessage.Kind.ANSWER_CALLBACK, callback__review_task=task
    )
    answer = {"outcome": decision.outcome, "task": task.pk, "decision": decision.pk}
    callback = PendingCallback.objects.get(review_task=task)
    assert message.payload == callback.answer == answer
    assert callback.status == "answered"
    events = ApplicationEvent.objects.filter(
        application=task.application, kind__startswith="manager_approval_"
    )
    assert [event.actor_id for event in events] == [decision.decided_by_id]
    application = LoanApplication.objects.get(pk=task.application_id)
    assert (application.status, application.waiting_on) == ("in_review", "")
    return decision


def winner_told(decision: ReviewDecision) -> str:
    """Return the sentence that the others are shown: who was first, with what, and when."""
    assert decision.decided_by is not None
    at = times.instant(decision.decided_at)
    return f"({decision.outcome}) by {decision.decided_by.username} at {at}"


@pytest.mark.parametrize("round_", range(3))
def test_32_threads_on_one_task_leave_one_decision_and_31_who_know_the_winner(
    officer: User, managers: list[User], round_: int
) -> None:
    task = casework.waiting_for_manager(officer).review_tasks.get()

    results = together(
        [partial(decide, task, user, outcome_of(n)) for n, user in enumerate(managers)]
    )

    winner = assert_one_decision(task)
    assert [result for result in results if isinstance(result, ReviewDecision)] == [winner]
    losers = [result for result in results if isinstance(result, AlreadyDecided)]
    assert len(losers) == MANY - 1, results
    assert winner.decided_by is not None
    for lost in losers:
        assert (lost.decided_by, lost.at) == (winner.decided_by.username, winner.decided_at)
        assert winner_told(winner) in str(lost)


def test_32_callers_of_api_and_office_at_once_get_one_yes_and_31_conflicts(
    officer: User, managers: list[User], login: Login
) -> None:
    application = casework.waiting_for_manager(officer)
    clients = [login(user) for user in managers]

    def by_api(client: Client, outcome: Outcome) -> Any:
        return client.post(
            path(application.reference, "decision/"),
            {"approved": outcome == Outcome.APPROVE, "reason": REASON, "version": 1},
            content_type="application/json",
        )

    def by_office(client: Client, outcome: Outcome) -> Any:
        return client.post(
            decide_page(application, outcome.value), {"version": "1", "reason": REASON}
        )

    responses: list[Any] = together(
        [
            partial(by_api if number % 4 < 2 else by_office, client, outcome_of(number))
            for number, client in enumerate(clients)
        ]
    )

    winner = assert_one_decision(application.review_tasks.get())
    happy = 0
    for number, response in enumerate(responses):
        won = managers[number] == winner.decided_by
        happy += won
        if number % 4 < 2 and won:
            assert response.status_code == 200
        elif number % 4 < 2:
            problem = assert_problem(response, 409, "already-decided")
            assert winner_told(winner) in problem["detail"]
        else:
            assert response.url == page("change", application)
            [sentence] = said(response)
            expected = "Manager approval of" if won else winner_told(winner)
            assert expected in sentence
    assert happy == 1


def test_second_approval_threshold_takes_two_people_and_never_a_third(
    officer: User, seniors: list[User]
) -> None:
    task = casework.waiting_for_manager(officer, loan_amount=600_000).review_tasks.get()

    results = together([partial(decide, task, user, Outcome.APPROVE) for user in seniors])

    given = list(ReviewDecision.objects.filter(task=task))
    assert len({decision.decided_by_id for decision in given}) == len(given) == 2
    assert Counter(type(result) for result in results) == {
        ReviewDecision: 2,
        AlreadyDecided: MANY - 2,
    }
    messages = OutboxMessage.objects.filter(kind=OutboxMessage.Kind.ANSWER_CALLBACK)
    assert messages.get().payload["decision"] == given[-1].pk
    assert all(winner_told(given[-1]) in str(r) for r in results if isinstance(r, AlreadyDecided))


def test_one_person_in_a_hurry_gives_one_of_the_two_approvals(
    officer: User, seniors: list[User]
) -> None:
    task = casework.waiting_for_manager(officer, loan_amount=600_000).review_tasks.get()

    results = together([partial(decide, task, seniors[0], Outcome.APPROVE) for _ in range(MANY)])

    assert ReviewDecision.objects.get(task=task).decided_by == seniors[0]
    assert Counter(type(result) for result in results) == {
        ReviewDecision: 1,
        AlreadyDecided: MANY - 1,
    }
    assert all("by you at" in str(r) for r in results if isinstance(r, AlreadyDecided))
    assert not OutboxMessage.objects.filter(kind=OutboxMessage.Kind.ANSWER_CALLBACK).exists()
    task.refresh_from_db()
    assert task.status == "open"


def test_decline_among_approvals_of_two_settles_it_whenever_it_comes(
    officer: User, seniors: list[User]
) -> None:
    task = casework.waiting_for_manager(officer, loan_amount=600_000).review_tasks.get()

    together([partial(decide, task, user, outcome_of(n)) for n, user in enumerate(seniors)])

    given = list(ReviewDecision.objects.filter(task=task))
    outcomes = [decision.outcome for decision in given]
    task.refresh_from_db()
    assert task.status == "decided"
    assert (outcomes, task.outcome) in [
        (["decline"], "decline"),
        (["approve", "decline"], "decline"),
        (["approve", "approve"], "approve"),
    ]
    message = OutboxMessage.objects.get(kind=OutboxMessage.Kind.ANSWER_CALLBACK)
    assert message.payload["outcome"] == task.outcome
