"""The people named, mailed and waited for are those whom the decision service accepts."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import product

import pytest
from django.contrib.auth.models import Group, User
from django.core import mail
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles import Role
from applications.models import ApplicationEvent, LoanApplication
from applications.services import intake
from lending.choices import Outcome
from lending.services import approver_of, policy_ceilings, policy_current
from reviews.choices import TaskKind
from reviews.errors import AboveCeiling
from reviews.kinds import REVIEW_KINDS
from reviews.models import Delegation, ReviewDecision, ReviewTask
from reviews.services import deciders, decisions, rechecks
from reviews.services.claims import task_claim
from tests.casework import (
    letters_at_once,
    triggers_lifted,
    waiting_for_manager,
)
from tests.reviews.services.deciding import (
    CEILING,
    CENT,
    SECOND,
    Office,
    accepted,
    check,
    lower_second_threshold,
    names,
    open_office,
    two_approvals,
)
from tests.reviews.services.delegations import hand_over
from tests.sizes import size
from workflows.outbox import queue

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(officer: User, make_user: Callable[..., User]) -> Office:
    lower_second_threshold()
    return open_office(officer, make_user)


def amounts() -> Iterator[Decimal]:
    """At and around each limit of authority."""
    for limit in (CEILING, SECOND):
        yield from (limit - CENT, limit, limit + CENT)


type Given = tuple[tuple[str, str], ...]
APPROVALS: tuple[Given, ...] = ((), (("manager", ""),), (("senior", ""),), (("manager", "senior"),))
WORKED = ((), ("senior", "senior2"), ("manager", "manager2", "both", "senior"))
LENT: tuple[tuple[str, str], ...] = (("", ""), ("senior", "manager2"), ("manager", "both"))


@transaction.atomic
def arrange(
    task: ReviewTask,
    office: Office,
    *,
    kind: TaskKind,
    amount: Decimal,
    given: Given,
    worked: tuple[str, ...],
    lent: tuple[str, str],
) -> None:
    """Make the task another one, as if it had been opened and treated so."""
    row, policy = REVIEW_KINDS[kind], policy_current()
    LoanApplication.objects.filter(pk=task.application_id).update(
        loan_amount=amount, waiting_on=row.assignees[0].role
    )
    Delegation.objects.all().delete()
    asked = approver_of(policy_ceilings(policy), amount).key
    two = bool(row.two_approvals_from) and amount >= SECOND
    ReviewTask.objects.filter(pk=task.pk).update(
        kind=kind,
        assigned_role=asked if row.has_ceiling else row.assignees[0].role,
        approvals_required=2 if two else 1,
    )
    with triggers_lifted():
        ReviewDecision.objects.all().delete()
        ApplicationEvent.objects.filter(kind="edited")._raw_delete("default")
    ApplicationEvent.objects.bulk_create(
        ApplicationEvent(
            application_id=task.application_id,
            kind="edited",
            message="Edited.",
            actor=office.people[name],
        )
        for name in worked
    )
    if two:
        ReviewDecision.objects.bulk_create(
            ReviewDecision(
                task=task,
                decided_by=office.people[by],
                on_behalf_of=office.people.get(right),
                outcome=Outcome.APPROVE,
                application_version=task.application.version,
            )
            for by, right in given
        )
    if lent[0]:
        hand_over(office.people[lent[0]], office.people[lent[1]])
    rechecks.tasks_recheck(now=timezone.now())


@pytest.mark.long
def test_named_mailed_and_waited_for_are_those_whose_decision_is_accepted(
    office: Office,
) -> None:
    task = waiting_for_manager(office.officer, loan_amount=150_000).review_tasks.get()
    situations = list(product(TaskKind, amounts(), APPROVALS, WORKED, LENT))
    nobody = some = 0
    # All of them take minutes. A step that has no divisor in common with the numbers of parts meets
    # each part with others; at length any three parts of a situation come together.
    for place, situation in enumerate(situations[:: size(short=97, long=5)]):
        kind, amount, given, worked, lent = situation
        arrange(task, office, kind=kind, amount=amount, given=given, worked=worked, lent=lent)
        can = check(task, office.people, situation, really=place % 5 == 0)
        nobody, some = nobody + (not can), some + bool(can)
    assert nobody
    assert some


@pytest.mark.parametrize("first", ["manager", "senior"])
def test_after_the_first_approval_whoever_may_give_the_second_is_asked(
    office: Office, first: str
) -> None:
    letters_at_once()
    task = two_approvals(office)
    assert task.application.waiting_on == "manager"
    queue.send_due()
    mail.outbox.clear()

    decisions.task_decide(task=task, user=office.people[first], outcome=Outcome.APPROVE)

    task.application.refresh_from_db()
    assert task.application.waiting_on == "senior_manager"
    can = accepted(task, office.people)
    assert can == {"senior", "senior2"} - {first}
    queue.send_due()
    queue.send_due()
    asked = [letter for letter in mail.outbox if "waits for a senior manager" in letter.body]
    assert sorted(to for letter in asked for to in letter.to) == sorted(
        f"{name}@example.com" for name in can
    )
    with pytest.raises(AboveCeiling) as refused:
        decisions.task_decide(task=task, user=office.manager2, outcome=Outcome.APPROVE)
    assert str(refused.value) == (
        f"{task.application.reference} has an approval already; "
        "a senior manager gives the next one."
    )


def test_voided_approval_asks_the_first_role_again(office: Office) -> None:
    task = two_approvals(office)
    decisions.task_decide(task=task, user=office.manager, outcome=Outcome.APPROVE)
    intake.application_edit(
        reference=task.application.reference, user=office.officer, phone="416-555-0199"
    )
    task.application.refresh_from_db()
    assert task.application.waiting_on == "manager"
    check(task, office.people, "voided")


def test_application_waits_for_the_next_role_while_nobody_of_the_first_can(
    office: Office,
) -> None:
    task = two_approvals(office)
    for name in ("manager", "manager2", "both"):
        office.people[name].groups.clear()
    assert check(task, office.people, "no manager") == {"senior", "senior2"}
    task.application.refresh_from_db()
    assert task.application.waiting_on == "senior_manager"
    office.manager2.groups.set(Group.objects.filter(name=Role.MANAGER))
    task.application.refresh_from_db()
    assert task.application.waiting_on == "manager"


def test_claim_leaves_its_holder_and_those_who_may_take_over(office: Office) -> None:
    task = two_approvals(office)
    task_claim(task=task, user=office.manager)
    application, now = task.application, timezone.now()
    named = deciders.people_to_ask(application=application, task=ReviewTask.objects.get(), now=now)
    assert names(each.person for each in named) == {"manager", "senior", "senior2"}


def test_claim_of_somebody_who_can_decide_no_more_keeps_nobody_from_deciding(
    office: Office,
) -> None:
    task = two_approvals(office)
    task_claim(task=task, user=office.manager)
    office.manager.is_active = False
    office.manager.save()
    assert check(task, office.people, "the holder is gone") == {
        "manager2",
        "both",
        "senior",
        "senior2",
    }


def looked(do: Callable[[], object]) -> bool:
    """Tell whether the open tasks were looked at."""
    with CaptureQueriesContext(connection) as captured:
        do()
    return any("reviews_reviewtask" in query["sql"] for query in captured.captured_queries)


def test_change_of_people_looks_at_the_tasks_only_if_it_may_change_who_decides(
    office: Office,
) -> None:
    two_approvals(office)
    person = office.manager

    def save(**fields: object) -> Callable[[], object]:
        def change() -> None:
            for name, value in fields.items():
                setattr(person, name, value)
            person.save(update_fields=list(fields))

        return change

    assert not looked(lambda: User.objects.create_user("new", "new@example.com", "demo"))
    assert not looked(save(last_login=timezone.now()))
    assert not looked(save(email="other@example.com", first_name="Other"))
    assert looked(lambda: User.objects.create_superuser("boss", "boss@example.com", "demo"))
    assert looked(person.groups.clear)
    assert looked(save(is_active=False))
