"""Case 29: a person's rights are those that they have when the decision is made.

Not those of when the request began: it may have waited for a lock, or decide many rows.
"""

from collections.abc import Callable
from functools import partial
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, User
from django.db import connections, transaction

from accounts.roles import Role
from applications.locking import application_lock
from applications.models import LoanApplication
from core.errors import NotPermitted
from lending.choices import Outcome
from reviews.models import BulkDecisionRow, ReviewDecision, ReviewTask
from reviews.services import bulk_decisions, claims, decisions
from reviews.signals import task_decided
from tests import casework

pytestmark = pytest.mark.django_db


def leaves_the_role(user: User) -> None:
    User.objects.get(pk=user.pk).groups.clear()


def is_deactivated(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def may_not_sign_in(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_staff=False)


def role_loses_its_rights(user: User) -> None:
    Group.objects.get(name=Role.MANAGER.value).permissions.clear()


every_loss = pytest.mark.parametrize(
    "lose",
    [leaves_the_role, is_deactivated, may_not_sign_in, role_loses_its_rights],
    ids=lambda lose: lose.__name__,
)


decide = partial(decisions.task_decide, outcome=Outcome.APPROVE)


@pytest.fixture
def task(officer: User) -> ReviewTask:
    return casework.waiting_for_manager(officer).review_tasks.get()


@every_loss
@pytest.mark.parametrize("act", [decide, claims.task_claim], ids=["decide", "claim"])
def test_what_was_lost_since_the_request_began_is_lost(
    task: ReviewTask, manager: User, lose: Callable[[User], None], act: Callable[..., object]
) -> None:
    assert manager.has_perm("reviews.decide_manager_approval")  # and keeps it in memory
    lose(manager)

    with pytest.raises(NotPermitted):
        act(task=task, user=manager)

    task.refresh_from_db()
    assert (task.status, task.claimed_by) == ("open", None)
    assert not ReviewDecision.objects.exists()


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_role_removed_while_the_press_waits_for_the_lock_decides_nothing(
    task: ReviewTask, manager: User
) -> None:
    outcome: list[object] = []
    ready = Event()

    def press() -> None:
        user = User.objects.get(pk=manager.pk)
        assert user.has_perm("reviews.decide_manager_approval")
        asked = ReviewTask.objects.select_related("application").get(pk=task.pk)
        ready.set()
        try:
            outcome.append(decisions.task_decide(task=asked, user=user, outcome=Outcome.APPROVE))
        except NotPermitted as refused:
            outcome.append(refused)
        finally:
            connections.close_all()

    waits = Thread(target=press)
    with transaction.atomic():
        application_lock(task.application.reference)
        waits.start()
        assert ready.wait(30)
        manager.groups.clear()
    waits.join(60)

    assert [type(found) for found in outcome] == [NotPermitted]
    assert not ReviewDecision.objects.exists()


@every_loss
def test_rest_of_a_bulk_decision_is_refused_once_the_right_is_lost(
    officer: User,
    manager: User,
    lose: Callable[[User], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are read again for each chunk of rows, under its locks."""
    monkeypatch.setattr(bulk_decisions, "CHUNK", 1)
    cases: list[LoanApplication] = casework.many_waiting_for_manager(officer, 3)
    run = bulk_decisions.bulk_begin(
        user=manager,
        token=uuid4(),
        outcome=Outcome.APPROVE,
        rows=[
            bulk_decisions.Read(case.pk, case.review_tasks.get().pk, case.version) for case in cases
        ],
    )
    assert run is not None

    def after_the_first(**_: Any) -> None:
        lose(manager)

    task_decided.connect(after_the_first)
    try:
        bulk_decisions.bulk_carry_on(run=run)
    finally:
        task_decided.disconnect(after_the_first)

    states = BulkDecisionRow.objects.order_by("application_id").values_list("state", flat=True)
    assert list(states) == ["decided", "refused", "refused"]
    assert ReviewDecision.objects.count() == 1
