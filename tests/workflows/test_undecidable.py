"""A task that nobody in the office can decide is an incident at once, and ends by itself."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles import Role
from applications.models import ApplicationEvent, LoanApplication
from applications.signals import application_contributed
from lending.choices import Outcome
from reviews.models import ReviewTask
from reviews.services import decisions, rechecks
from tests.casework import (
    many_waiting_for_manager,
    waiting_for_manager,
)
from tests.reviews.services.deciding import (
    Office,
    check,
    lower_second_threshold,
    open_office,
    two_approvals,
)
from tests.reviews.services.delegations import hand_over
from tests.sizes import some
from workflows import undecidable
from workflows.errors import NobodyCanDecide
from workflows.incidents import incident_resolve
from workflows.models import Incident, OutboxMessage
from workflows.outbox import queue

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(officer: User, make_user: Callable[..., User]) -> Office:
    lower_second_threshold()
    return open_office(officer, make_user)


def end_one_right(office: Office, how: str, task: ReviewTask) -> None:
    """Take the right of the only senior manager who may give the second approval."""
    if how == "role":
        office.senior2.groups.clear()
    elif how == "group":
        Group.objects.get(name=Role.SENIOR_MANAGER).user_set.remove(office.senior2)
    elif how == "deactivated":
        office.senior2.is_active = False
        office.senior2.save(update_fields=["is_active"])
    elif how == "worked":
        ApplicationEvent.objects.create(
            application=task.application, kind="edited", message="Edited.", actor=office.senior2
        )
        application_contributed.send(LoanApplication, application=task.application)
    else:  # nothing announces this one
        User.objects.filter(pk=office.senior2.pk).update(is_active=False)
        undecidable.look()


@pytest.mark.long
@pytest.mark.parametrize(
    "how", some(["role", "group", "deactivated", "worked", "unannounced"], of=2)
)
def test_nobody_left_is_an_incident_at_once_that_ends_by_itself(
    office: Office, how: str, settings: Any
) -> None:
    task = two_approvals(office)
    decisions.task_decide(task=task, user=office.senior, outcome=Outcome.APPROVE)
    check(task, office.people, "one is left")
    queue.send_due()
    queue.send_due()
    mail.outbox.clear()

    end_one_right(office, how, task)

    assert check(task, office.people, how) == set()
    incident = Incident.objects.get(kind="nobody_can_decide")
    reference = task.application.reference
    assert incident.sentence.startswith(
        f"Nobody in the office can decide the manager approval of {reference} now."
    )
    assert "senior has approved it" in incident.sentence
    queue.send_due()
    queue.send_due()
    assert [(letter.to, letter.subject) for letter in mail.outbox] == [
        (["root@example.com"], f"Nobody can decide {reference}")
    ]
    solver = User.objects.create_user("solver", is_staff=True)
    solver.groups.set(Group.objects.filter(name=Role.OPERATIONS))
    with pytest.raises(NobodyCanDecide):
        incident_resolve(incident=incident, user=solver, note="Enough.")

    office.manager.groups.set(Group.objects.filter(name=Role.SENIOR_MANAGER))

    assert check(task, office.people, "somebody again") == {"manager"}
    incident.refresh_from_db()
    assert (incident.status, incident.resolved_by) == ("resolved", None)


def test_task_that_nobody_can_decide_is_an_incident_when_it_opens(officer: User) -> None:
    task = waiting_for_manager(officer).review_tasks.get()
    assert task.undecidable_since is not None
    incident = Incident.objects.get()
    assert incident.kind == "nobody_can_decide"
    assert "It takes a manager or a senior manager, and nobody active has that role." in (
        incident.sentence
    )
    assert task.application.waiting_on == "manager"


def test_delegation_that_ends_at_its_time_is_seen_by_the_sweep(
    officer: User, make_user: Callable[..., User]
) -> None:
    senior, manager = make_user("senior", Role.SENIOR_MANAGER), make_user("manager", Role.MANAGER)
    task = waiting_for_manager(officer, loan_amount=700_000).review_tasks.get()
    hand_over(senior, manager)
    ReviewTask.objects.update(approvals_required=1)
    everybody = {"senior": senior, "manager": manager, "officer": officer}
    assert check(task, everybody, "handed over") == {"senior", "manager"}
    ApplicationEvent.objects.create(
        application=task.application, kind="edited", message="Edited.", actor=senior
    )
    undecidable.look()
    assert check(task, everybody, "who lends worked on it") == set()


def test_closed_task_ends_its_incident(officer: User) -> None:
    application = waiting_for_manager(officer)
    ReviewTask.objects.update(status="expired")
    assert undecidable.look()["ended"] == 1
    assert Incident.objects.get(application=application).status == "resolved"


def test_many_tasks_are_looked_at_with_few_queries_and_told_once(
    officer: User, make_user: Callable[..., User]
) -> None:
    first, second = make_user("first", Role.MANAGER), make_user("second", Role.SENIOR_MANAGER)
    make_user("root", is_superuser=True)
    many_waiting_for_manager(officer, 30)
    counted = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as captured:
            assert rechecks.tasks_recheck(now=timezone.now()) == 0
        counted.append(len(captured))
        many_waiting_for_manager(officer, 30)
    assert counted[0] == counted[1] <= 16
    OutboxMessage.objects.all().delete()

    User.objects.filter(pk__in=[first.pk, second.pk]).update(is_active=False)
    assert rechecks.tasks_recheck(now=timezone.now()) == 90
    assert Incident.objects.filter(kind="nobody_can_decide").count() == 90
    assert OutboxMessage.objects.count() == 1
