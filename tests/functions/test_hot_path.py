"""Cost of an application: statements in the functions, and ids in its log lines and events."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from applications.services import intake
from audit.tracing import request_id
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.services import decisions
from tests.casework import ALICE
from tests.functions.test_loan_approval import open_task
from tests.functions.wire import wire

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def statements() -> Iterator["Counter[str]"]:
    """Count the statements of each kind that the database threads ran."""
    counted: Counter[str] = Counter()

    def count(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if threading.current_thread().name.startswith("database"):
            counted[sql.split(maxsplit=1)[0]] += 1
        return execute(sql, *rest)

    def watch(connection: BaseDatabaseWrapper, **_: Any) -> None:
        if count not in connection.execute_wrappers:
            connection.execute_wrappers.append(count)

    connection_created.connect(watch)
    yield counted
    connection_created.disconnect(watch)


def test_a_case_with_a_manager_costs_a_bounded_number_of_statements(
    monkeypatch: pytest.MonkeyPatch,
    transactional_db: None,
    statements: "Counter[str]",
    officer: User,
    manager: User,
) -> None:
    with wire(monkeypatch) as aws:
        token = request_id.set("request-42")
        application = intake.application_create_and_submit(user=officer, **ALICE)
        request_id.reset(token)
        task = open_task(application, TaskKind.MANAGER_APPROVAL)
        decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
        aws.result(f"{application.reference}-1")
    spent = {kind: n for kind, n in statements.items() if kind in {"SELECT", "INSERT", "UPDATE"}}
    assert spent["SELECT"] <= 61, spent
    assert spent["INSERT"] <= 26, spent
    assert spent["UPDATE"] <= 19, spent
    steps = application.events.exclude(key=None)
    assert steps.count() >= 9
    assert set(steps.values_list("request_id", flat=True)) == {"request-42"}
