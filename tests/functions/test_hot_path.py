"""Cost of an application: statements in the functions, and ids in its log lines and events."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_durable_execution_sdk_python.lambda_service import OperationAction, OperationType
from aws_durable_execution_sdk_python_testing.client import InMemoryServiceClient
from django.conf import settings as project
from django.contrib.auth.models import User
from django.db import connection
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
ARCHITECTURE = Path(project.BASE_DIR) / "docs" / "architecture.md"


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


@pytest.fixture
def checkpoints(monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[OperationType, str]]]:
    """The calls of the engine by which handlers saved something, each with what it waited for.

    A step does not wait for the note that it starts: mostly that comes with its result.
    """
    calls: list[list[tuple[OperationType, str]]] = []
    checkpoint = InMemoryServiceClient.checkpoint

    def note(client: InMemoryServiceClient, *, updates: list[Any], **rest: Any) -> Any:
        calls.append(
            [
                (update.operation_type, update.name)
                for update in updates
                if update.action is not OperationAction.START
                or update.operation_type is OperationType.CALLBACK
            ]
        )
        return checkpoint(client, updates=updates, **rest)

    monkeypatch.setattr(InMemoryServiceClient, "checkpoint", note)
    return calls


def stated() -> dict[str, int]:
    """The most that one application costs, as the documentation says."""
    section = ARCHITECTURE.read_text().partition("## What one application costs")[2]
    rows = re.findall(r"^\| ([^|]+) \| ([0-9]+) \|$", section.partition("\n## ")[0], re.MULTILINE)
    return {name: int(most) for name, most in rows}


@pytest.mark.both_databases
def test_a_case_with_a_manager_costs_a_bounded_number_of_statements(
    monkeypatch: pytest.MonkeyPatch,
    transactional_db: None,
    statements: "Counter[str]",
    checkpoints: list[list[tuple[OperationType, str]]],
    officer: User,
    manager: User,
) -> None:
    with wire(monkeypatch) as aws:
        token = request_id.set("request-42")
        application = intake.application_create_and_submit(user=officer, **ALICE)
        request_id.reset(token)
        task = open_task(application, TaskKind.MANAGER_APPROVAL)
        decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
        ended = aws.result(f"{application.reference}-1")
    waited_for = [call for call in checkpoints if call]
    cost = dict(statements) | {
        "durable operations": len(ended.get_all_operations()),
        "checkpoint calls that a handler waits for": len(waited_for),
    }
    bounds = stated()
    if connection.vendor == "postgresql":
        del bounds["BEGIN"]  # the driver sends it unseen
    assert {name for name, most in bounds.items() if cost[name] > most} == set(), cost
    assert cost.keys() - stated().keys() == set(), cost
    # The two that make a callback answer with its id, so a step cannot come with them.
    assert [call for call in waited_for if call[0][0] is OperationType.CALLBACK] == [
        [(OperationType.CALLBACK, "manager_approval")],
        [(OperationType.CALLBACK, "fraud_check-1")],
    ]
    steps = application.events.exclude(key=None)
    assert steps.count() >= 9
    assert set(steps.values_list("request_id", flat=True)) == {"request-42"}
