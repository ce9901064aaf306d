"""Claims, decisions and bulk runs at the same moment: one wins, and nothing is done twice.

Real threads with connections of their own, on SQLite and on PostgreSQL alike.
"""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client

from accounts.roles import Role
from applications.models import ApplicationEvent, LoanApplication
from lending.choices import Outcome
from reviews.errors import AlreadyDecided, ClaimedBySomebodyElse
from reviews.models import BulkDecision, BulkDecisionRow, ReviewDecision, ReviewTask
from reviews.services import decisions as review_decisions
from reviews.services.bulk_decisions import Read, bulk_begin, bulk_carry_on
from reviews.services.claims import task_claim, task_release
from tests import casework
from tests.applications.admin.conftest import Login, page
from tests.hard_cases.together import together
from tests.reviews.admin.bulk_forms import DECIDE, choose, typed
from workflows.models import OutboxMessage

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.both_databases,
]
APPROVE = Outcome.APPROVE
PEOPLE = 12


@pytest.fixture
def managers(make_user: Callable[..., User]) -> list[User]:
    return [make_user(f"manager{number}", Role.MANAGER) for number in range(PEOPLE)]


@pytest.fixture
def task(officer: User) -> ReviewTask:
    return casework.waiting_for_manager(officer).review_tasks.get()


def fresh(task: ReviewTask) -> ReviewTask:
    return ReviewTask.objects.select_related("application").get(pk=task.pk)


def claim(task: ReviewTask, user: User, *, take_over: bool = False) -> str:
    task_claim(task=fresh(task), user=User.objects.get(pk=user.pk), take_over=take_over)
    return "claimed"


def decide(task: ReviewTask, user: User) -> str:
    review_decisions.task_decide(
        task=fresh(task), user=User.objects.get(pk=user.pk), outcome=APPROVE
    )
    return "decided"


def test_everybody_claims_at_once_and_one_holds_it(task: ReviewTask, managers: list[User]) -> None:
    outcomes = together([partial(claim, task, user) for user in managers])

    assert outcomes.count("claimed") == 1
    refused = [error for error in outcomes if error != "claimed"]
    assert all(isinstance(error, ClaimedBySomebodyElse) for error in refused), refused
    winner = managers[outcomes.index("claimed")]
    assert fresh(task).claimed_by == winner
    events = ApplicationEvent.objects.filter(kind="claimed")
    assert [event.actor for event in events] == [winner]


def test_claims_race_decisions_and_nobody_decides_what_somebody_else_holds(
    officer: User, managers: list[User]
) -> None:
    """Every other one claims, every other one decides; twelve tasks, so that both orders come."""
    tasks = [case.review_tasks.get() for case in casework.many_waiting_for_manager(officer, 8)]
    for asked in tasks:
        bodies = [
            partial(decide if number % 2 else claim, asked, user)
            for number, user in enumerate(managers)
        ]
        outcomes = together(bodies)

        unexpected = [
            outcome
            for outcome in outcomes
            if not isinstance(outcome, str | ClaimedBySomebodyElse | AlreadyDecided)
        ]
        assert not unexpected, unexpected
        # In the order in which they counted: after a claim by one nobody else decides.
        kinds = ("claimed", "manager_approval_approved")
        lines = list(
            ApplicationEvent.objects.filter(application=asked.application, kind__in=kinds)
            .order_by("pk")
            .values_list("kind", "actor_id")
        )
        decisions = ReviewDecision.objects.filter(task=asked)
        if lines[0][0] == "claimed":
            assert lines == [("claimed", lines[0][1])]
            assert not decisions.exists()
            assert fresh(asked).claimed_by_id == lines[0][1]
        else:
            assert lines == [("manager_approval_approved", lines[0][1])]
            assert decisions.get().decided_by_id == lines[0][1]
            assert (fresh(asked).status, fresh(asked).claimed_by_id) == ("decided", None)


def test_release_take_over_and_decision_at_once_leave_one_holder_or_one_decision(
    officer: User, managers: list[User], make_user: Callable[..., User]
) -> None:
    seniors = [make_user(f"senior{number}", Role.SENIOR_MANAGER) for number in range(3)]
    holder, other = managers[0], managers[1]
    for case in casework.many_waiting_for_manager(officer, 6):
        asked = case.review_tasks.get()
        claim(asked, holder)

        together(
            [
                lambda asked=asked: task_release(
                    task=fresh(asked), user=User.objects.get(pk=holder.pk)
                ),
                *(partial(claim, asked, senior, take_over=True) for senior in seniors),
                partial(decide, asked, other),
                partial(decide, asked, holder),
            ]
        )

        after = fresh(asked)
        decisions = ReviewDecision.objects.filter(task=asked)
        assert decisions.count() <= 1
        if decisions:
            assert (after.status, after.claimed_by_id) == ("decided", None)
        else:
            assert after.status == "open"
            assert after.claimed_by in seniors


@pytest.fixture
def cases(officer: User) -> list[LoanApplication]:
    return casework.many_waiting_for_manager(officer, 10)


def assert_each_decided_once(cases: list[LoanApplication]) -> None:
    decided = ReviewDecision.objects.order_by("pk").values_list("task__application", flat=True)
    assert sorted(decided) == [case.pk for case in cases]
    answers = OutboxMessage.objects.filter(kind=OutboxMessage.Kind.ANSWER_CALLBACK)
    assert answers.count() == len(cases)


def test_double_click_is_one_run_and_both_answers_lead_to_its_page(
    login: Login, cases: list[LoanApplication], manager: User
) -> None:
    form = typed(choose(login(manager), "approve", cases))
    clients = [login(manager) for _ in range(4)]

    def press(client: Client) -> str:
        return str(client.post(DECIDE["approve"], form).url)

    answers = together([partial(press, client) for client in clients])

    run = BulkDecision.objects.get()
    assert set(answers) == {f"/admin/reviews/bulkdecision/{run.pk}/change/"}
    assert set(run.rows.values_list("state", flat=True)) == {"decided"}
    assert_each_decided_once(cases)


def test_two_processes_at_one_run_decide_each_row_once(
    cases: list[LoanApplication], manager: User
) -> None:
    """As when one that was given up for dead is still at it."""
    rows = [Read(case.pk, case.review_tasks.get().pk, case.version) for case in cases]
    begun = bulk_begin(user=manager, token=uuid4(), outcome=APPROVE, rows=rows)
    assert begun is not None

    def carry_on() -> Any:
        run = BulkDecision.objects.select_related("decided_by").get(pk=begun.pk)
        BulkDecision.objects.filter(pk=run.pk).update(carried_on_at=None)
        return bulk_carry_on(run=run)

    outcomes = together([carry_on] * 4)

    assert all(isinstance(outcome, bool) for outcome in outcomes), outcomes
    states = set(BulkDecisionRow.objects.values_list("state", flat=True))
    assert states == {"decided"}
    assert_each_decided_once(cases)
    begun.refresh_from_db()
    assert begun.finished_at is not None


def test_two_managers_decide_the_same_rows_in_bulk_and_one_wins_each(
    login: Login, cases: list[LoanApplication], managers: list[User]
) -> None:
    pair = [login(user) for user in managers[:2]]
    forms = [typed(choose(client, "approve", cases)) for client in pair]
    forms[1]["row"].reverse()

    answers = together(
        [
            partial(client.post, DECIDE["approve"], form)
            for client, form in zip(pair, forms, strict=True)
        ]
    )

    assert all(getattr(answer, "status_code", 0) == 302 for answer in answers), answers
    assert_each_decided_once(cases)
    states = BulkDecisionRow.objects.values_list("state", flat=True)
    assert sorted(states) == ["decided"] * 10 + ["refused"] * 10


def test_presses_of_claim_at_once_are_one_claim(
    login: Login, task: ReviewTask, manager: User
) -> None:
    address = page("claim", task.application, task.pk)
    clients = [login(manager) for _ in range(6)]

    answers = together([partial(client.post, address) for client in clients])

    assert [getattr(answer, "status_code", answer) for answer in answers] == [302] * 6
    assert ApplicationEvent.objects.filter(kind="claimed").count() == 1
