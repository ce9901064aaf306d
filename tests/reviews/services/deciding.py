"""An office of people with different rights, and what says who of them can decide a task."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from accounts.roles import APPROVERS, Role, roles_deciding
from applications.models import LoanApplication
from applications.selectors import application_view, applications
from core.errors import DomainError
from lending.choices import Outcome
from lending.models import PolicyAuthority
from reviews.admin.approvals import approvals_of
from reviews.choices import TaskKind
from reviews.kinds import REVIEW_KINDS
from reviews.models import ReviewTask
from reviews.services import deciders, decisions
from reviews.services.authority import person_or_refuse
from tests.casework import (
    change_policies,
    triggers_lifted,
    waiting_for_manager,
)
from workflows.models import Incident
from workflows.outbox import emails

CENT = Decimal("0.01")
CEILING, SECOND = Decimal(600_000), Decimal(300_000)


def lower_second_threshold() -> None:
    """Two approvals begin below the ceiling of the first role, so that it is asked for both."""
    change_policies(second_approval_threshold=SECOND)
    with triggers_lifted():
        PolicyAuthority.objects.filter(role=APPROVERS[0].key).update(ceiling=CEILING)


@dataclass
class Office:
    """The people of the office, by name."""

    people: dict[str, User]

    def __getattr__(self, name: str) -> User:
        return self.people[name]


def open_office(officer: User, make_user: Callable[..., User]) -> Office:
    roles = {
        "manager": [Role.MANAGER],
        "manager2": [Role.MANAGER],
        "senior": [Role.SENIOR_MANAGER],
        "senior2": [Role.SENIOR_MANAGER],
        "analyst": [Role.RISK_ANALYST],
        "both": [Role.RISK_ANALYST, Role.MANAGER],
        "auditor": [Role.AUDITOR],
        "gone": [Role.SENIOR_MANAGER],
        "outside": [Role.SENIOR_MANAGER],
    }
    people = {name: make_user(name, *held) for name, held in roles.items()}
    people["root"] = make_user("root", is_superuser=True)
    User.objects.filter(username="gone").update(is_active=False)
    User.objects.filter(username="outside").update(is_staff=False)
    return Office({"officer": officer, **people})


def accepted(task: ReviewTask, people: dict[str, User]) -> set[str]:
    """The people whose approval the service takes; each is taken back."""
    found = set()
    for name, person in people.items():
        with transaction.atomic():
            with suppress(DomainError):
                decisions.task_decide(
                    task=ReviewTask.objects.get(pk=task.pk),
                    user=User.objects.get(pk=person.pk),
                    outcome=Outcome.APPROVE,
                )
                found.add(name)
            transaction.set_rollback(True)
    return found


def checked(task: ReviewTask, people: dict[str, User]) -> set[str]:
    """The people whom the service's own check lets decide: as ``accepted``, and quicker."""
    found = set()
    for name, person in people.items():
        try:
            user = person_or_refuse(person)
            decisions.decision_check(
                application=task.application, task=task, user=user, now=timezone.now()
            )
        except DomainError:
            continue
        found.add(name)
    return found


def names(people: Iterable[User]) -> set[str]:
    return {each.get_username() for each in people}


def check(
    task: ReviewTask, people: dict[str, User], situation: object, *, really: bool = True
) -> set[str]:
    """Compare everything that says who can decide with what the service accepts."""
    task = ReviewTask.objects.select_related("application").get(pk=task.pk)
    application, now = task.application, timezone.now()
    can = checked(task, people)
    assert not really or can == accepted(task, people), situation
    named = deciders.people_to_ask(application=application, task=task, now=now)
    assert names(each.person for each in named) == can, situation
    assert set(approvals_of(application, task).people) == can, situation
    for name, person in people.items():
        user = User.objects.get(pk=person.pk)
        if name in {"gone", "outside"}:  # no page is shown to them
            continue
        assert decisions.count_waiting_on(user=user, now=now) == int(name in can), (situation, name)
    row = REVIEW_KINDS[TaskKind(task.kind)]
    if row.decided_by_staff and really:
        payload = {"task": task.pk, "notice": "opened"}
        audience = emails.audience(payload)
        assert audience is not None
        written = [emails.build_email({**payload, "user": each.user}) for each in audience]
        asked = [letter for letter in written if letter and waited_for(application) in letter.body]
        assert {to for letter in asked for to in letter.to} == {
            f"{name}@example.com" for name in can
        }, situation
        others = [letter for letter in written if letter and letter not in asked]
        # They hear that the second approval depends on one person, or on nobody.
        assert all("Second approval at risk" in letter.subject for letter in others), situation
    agree_on_the_role(application, task, named, situation)
    assert (task.undecidable_since is None) == bool(can), situation
    open_incidents = Incident.objects.filter(kind="nobody_can_decide").exclude(status="resolved")
    assert open_incidents.exists() == (not can), situation
    return can


def waited_for(application: LoanApplication) -> str:
    return f"waits for a {application.get_waiting_on_display().lower()}"


def agree_on_the_role(
    application: LoanApplication,
    task: ReviewTask,
    named: list[deciders.Decider],
    situation: object,
) -> None:
    """Whom it waits for is the lowest role among those who can, wherever that is said."""
    row = REVIEW_KINDS[TaskKind(task.kind)]
    shown = application_view(applications(partner=None).get(pk=application.pk)).waiting_on
    assert shown is not None
    assert shown.who == application.waiting_on
    if not row.has_ceiling:
        assert shown.who == row.assignees[0].role
        return
    held = {role for each in named for role in each.roles}
    lowest = [role.key for role in roles_deciding(task.assigned_role) if role.key in held]
    if lowest:
        assert shown.who == lowest[0], situation


def two_approvals(office: Office) -> ReviewTask:
    """A task for a manager that takes two approvals."""
    task = waiting_for_manager(office.officer, loan_amount=400_000).review_tasks.get()
    assert (task.assigned_role, task.approvals_required) == ("manager", 2)
    return task
