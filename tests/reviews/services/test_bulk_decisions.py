"""Runs of many decisions: stored first, decided in chunks, gone on with and never twice."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.utils import timezone

from accounts.roles import Role
from applications.models import LoanApplication
from applications.services import intake
from core.errors import NotPermitted
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.models import BulkDecision, ReviewDecision, ReviewTask
from reviews.services import bulk_decisions, decisions
from reviews.services.bulk_decisions import Read, bulk_begin, bulk_carry_on, is_left_alone
from reviews.services.claims import task_claim
from tests import casework
from workflows.models import OutboxMessage

pytestmark = pytest.mark.django_db
APPROVE, DECLINE = Outcome.APPROVE, Outcome.DECLINE


def read(applications: list[LoanApplication]) -> list[Read]:
    return [Read(case.pk, case.review_tasks.get().pk, case.version) for case in applications]


def begin(user: User, rows: list[Read], *, token: UUID | None = None, **how: Any) -> BulkDecision:
    run = bulk_begin(user=user, token=token or uuid4(), rows=rows, **{"outcome": APPROVE, **how})
    assert run is not None
    return run


def states(run: BulkDecision) -> list[str]:
    return list(run.rows.values_list("state", flat=True))


def test_run_is_stored_before_anything_is_decided(
    cases: list[LoanApplication], manager: User
) -> None:
    run = begin(manager, read(cases), outcome=DECLINE, reason=" No. ", reason_code="DEBT_TOO_HIGH")

    run.refresh_from_db()
    assert (run.decided_by, run.outcome, run.reason, run.reason_code) == (
        manager,
        "decline",
        "No.",
        "DEBT_TOO_HIGH",
    )
    assert states(run) == ["waiting"] * 4
    assert not ReviewDecision.objects.exists()
    assert is_left_alone(run)


def test_each_row_gets_its_own_outcome_and_only_its_own(
    cases: list[LoanApplication], manager: User, make_user: Callable[..., User], officer: User
) -> None:
    other = make_user("manager2", Role.MANAGER)
    run = begin(manager, read(cases), outcome=DECLINE, reason_code="DEBT_TOO_HIGH")
    decisions.task_decide(
        task=cases[0].review_tasks.get(), user=manager, outcome=DECLINE, reason="First."
    )
    task_claim(task=cases[1].review_tasks.get(), user=other)
    intake.application_edit(reference=cases[2].reference, user=officer, phone="613-555-0142")

    assert bulk_carry_on(run=run)

    assert states(run) == ["repeated", "refused", "refused", "decided"]
    _, claimed, changed, _ = run.rows.values_list("why", flat=True)
    assert f"{cases[1].reference} is claimed by manager2 since" in claimed
    assert "is at version 2; you read version 1" in changed
    decision = ReviewDecision.objects.get(task__application=cases[3])
    assert (decision.reason_code, decision.decided_by) == ("DEBT_TOO_HIGH", manager)
    assert run.finished_at is not None
    assert run.carried_on_at is None


def test_reason_that_does_not_fit_a_row_leaves_that_row_undecided(
    cases: list[LoanApplication], officer: User, make_user: Callable[..., User]
) -> None:
    root = make_user("root", *Role, is_superuser=True)
    flagged = casework.submit(officer, loan_amount=40_000)
    casework.assess(flagged)
    casework.ask(flagged, TaskKind.FRAUD_REVIEW)
    run = begin(root, read([cases[0], flagged]), outcome=DECLINE, reason_code="FRAUD_CONFIRMED")

    bulk_carry_on(run=run)

    assert states(run) == ["refused", "decided"]
    assert "no reason to decline a manager approval" in run.rows.all()[0].why


def test_same_token_is_the_same_run_and_decides_nothing_twice(
    cases: list[LoanApplication], manager: User, make_user: Callable[..., User]
) -> None:
    token, rows = uuid4(), read(cases)
    first = begin(manager, rows, token=token)
    bulk_carry_on(run=first)
    before = (ReviewDecision.objects.count(), OutboxMessage.objects.count())

    again = begin(manager, rows, token=token, outcome=DECLINE, reason="Changed my mind.")
    assert bulk_carry_on(run=again)

    assert (again.pk, again.outcome) == (first.pk, "approve")
    assert (ReviewDecision.objects.count(), OutboxMessage.objects.count()) == before
    other = begin(make_user("manager2", Role.MANAGER), rows, token=token)
    assert other.pk != first.pk


def test_process_that_dies_in_the_middle_leaves_the_rest_to_be_gone_on_with(
    cases: list[LoanApplication], manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(manager, read(cases))
    decide, calls = decisions.tasks_decide, []

    def dies(**how: Any) -> Any:
        calls.append(how)
        results = decide(**how)
        if len(calls) == 2:
            raise SystemExit("killed between the decisions and their commit")
        return results

    with monkeypatch.context() as patched:
        patched.setattr(bulk_decisions, "CHUNK", 2)
        patched.setattr(decisions, "tasks_decide", dies)
        with pytest.raises(SystemExit):
            bulk_carry_on(run=run)

    run.refresh_from_db()
    assert states(run) == ["decided", "decided", "waiting", "waiting"]
    assert ReviewDecision.objects.count() == 2  # the second chunk was rolled back
    assert not is_left_alone(run)
    assert not bulk_carry_on(run=run)  # for all that anybody knows, a process is at it
    assert ReviewDecision.objects.count() == 2

    BulkDecision.objects.update(carried_on_at=timezone.now() - bulk_decisions.LONGEST)
    run.refresh_from_db()
    assert is_left_alone(run)
    assert bulk_carry_on(run=run)
    assert states(run) == ["decided"] * 4
    assert ReviewDecision.objects.count() == 4


def test_run_that_takes_too_long_stops_between_two_chunks_and_goes_on_later(
    cases: list[LoanApplication], manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(manager, read(cases))
    with monkeypatch.context() as patched:
        patched.setattr(bulk_decisions, "PATIENCE", timedelta(0))
        assert not bulk_carry_on(run=run)

    run.refresh_from_db()
    assert states(run) == ["waiting"] * 4
    assert is_left_alone(run)
    assert bulk_carry_on(run=run)
    assert not is_left_alone(run)


def test_chunk_that_the_database_rolled_back_is_tried_again_and_then_row_by_row(
    cases: list[LoanApplication], manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide, tried = decisions.tasks_decide, []
    tasks = [case.review_tasks.get().pk for case in cases]
    in_the_way = {tasks[0]: 3, tasks[1]: 2}  # the first: twice in the chunk, once alone

    def contended(*, versions: dict[int, int], **how: Any) -> Any:
        tried.append(len(versions))
        for task in versions:
            if in_the_way.get(task, 0):
                in_the_way[task] -= 1
                raise OperationalError("database is locked")
        return decide(versions=versions, **how)

    monkeypatch.setattr(decisions, "tasks_decide", contended)
    run = begin(manager, read(cases))

    assert bulk_carry_on(run=run)

    assert tried == [4, 4, 1, 1, 1, 1, 1, 1]
    assert states(run) == ["decided", "refused", "decided", "decided"]
    assert run.rows.all()[1].sentence == f"{cases[1].reference}: {bulk_decisions.IN_THE_WAY}"


def test_two_tasks_of_one_application_are_decided_one_after_the_other(
    cases: list[LoanApplication], make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_user("root", *Role, is_superuser=True)
    casework.ask(cases[0], TaskKind.FRAUD_REVIEW)
    tasks = ReviewTask.objects.filter(application__in=cases[:2])
    run = begin(root, [Read(task.application_id, task.pk, 1) for task in tasks])
    decide, together = decisions.tasks_decide, []

    def noted(*, versions: dict[int, int], **how: Any) -> Any:
        together.append(set(ReviewTask.objects.filter(pk__in=versions).values_list("kind")))
        return decide(versions=versions, **how)

    monkeypatch.setattr(decisions, "tasks_decide", noted)
    bulk_carry_on(run=run)

    assert together == [{("manager_approval",)}, {("fraud_review",)}]
    assert states(run) == ["decided"] * 3


def test_late_decision_of_a_row_is_kept_as_late(
    cases: list[LoanApplication], manager: User
) -> None:
    run = begin(manager, read(cases[:1]))
    ReviewTask.objects.update(expires_at=timezone.now())

    bulk_carry_on(run=run)

    assert states(run) == ["refused"]
    assert ReviewDecision.objects.get().late


def test_nothing_begins_without_the_right_or_without_rows(
    cases: list[LoanApplication], manager: User, auditor: User, officer: User
) -> None:
    for user in (auditor, officer):
        with pytest.raises(NotPermitted):
            begin(user, read(cases))
    odd = [Read(cases[0].pk, cases[1].review_tasks.get().pk, 1), Read(1, 10**15, 1)]
    for rows in ([], odd):
        assert bulk_begin(user=manager, token=uuid4(), outcome=APPROVE, rows=rows) is None
    assert not BulkDecision.objects.exists()
