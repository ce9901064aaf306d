"""Senior managers hear at once when a second approval depends on one person or on nobody."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.utils import timezone

from accounts.roles import Role
from applications.models import ApplicationEvent
from lending.choices import Outcome
from reviews.models import Notification, ReviewTask
from reviews.services import decisions
from tests.casework import waiting_for_manager
from tests.reviews.services.delegations import hand_over
from workflows.models import Incident, OutboxMessage
from workflows.outbox import queue

pytestmark = pytest.mark.django_db

AT_RISK = "Second approval at risk"
NOBODY = "Nobody can give the second approval."


@pytest.fixture
def task(officer: User, senior: User, root: User) -> ReviewTask:
    """Takes two approvals of senior managers, of whom there is one, and is not mailed yet."""
    return waiting_for_manager(officer, loan_amount=700_000).review_tasks.get()


def said() -> dict[str, str]:
    """Send what waits; returns the first paragraph of each letter about a scarce approval."""
    mail.outbox.clear()
    OutboxMessage.objects.exclude(kind="email").delete()
    queue.send_due()
    letters = [letter for letter in mail.outbox if letter.subject.startswith(AT_RISK)]
    return {letter.to[0].partition("@")[0]: str(letter.body) for letter in letters}


def bells(kind: str) -> set[str]:
    return set(Notification.objects.filter(kind=kind).values_list("user__username", flat=True))


def approve(task: ReviewTask, user: User) -> None:
    decisions.task_decide(task=task, user=user, outcome=Outcome.APPROVE)


def test_two_seniors_hear_it_only_when_one_of_them_has_approved(
    task: ReviewTask, senior: User, make_user: Callable[..., User]
) -> None:
    senior2 = make_user("senior2", Role.SENIOR_MANAGER)
    assert said() == {}
    assert not Notification.objects.exists()

    approve(task, senior)

    told = said()
    assert set(told) == {"senior", "senior2"}
    assert "700,000.00 CAD waits for a senior manager." in told["senior2"]
    assert "Nobody else can give the second approval now." in told["senior2"]
    assert "700,000.00 CAD takes two approvals. Only senior2 can give" in told["senior"]
    assert f"/admin/applications/loanapplication/{task.application_id}/change/" in told["senior"]
    assert bells("scarce_approval") == {"senior", "senior2"}
    found = Notification.objects.get(user=senior2)
    assert found.sentence == (
        f"{task.application.reference}: Nobody else can give the second approval now."
    )
    assert "Alice" not in f"{found.sentence} {told}"
    assert not Incident.objects.exists()


def test_many_first_approvals_at_once_are_one_letter_to_each_and_the_bell_has_all(
    task: ReviewTask, officer: User, senior: User, make_user: Callable[..., User]
) -> None:
    make_user("senior2", Role.SENIOR_MANAGER)
    others = [waiting_for_manager(officer, loan_amount=700_000) for _ in range(2)]
    for each in (task, *(other.review_tasks.get() for other in others)):
        approve(each, senior)

    assert set(said()) == {"senior", "senior2"}

    assert len([letter for letter in mail.outbox if AT_RISK in letter.subject]) == 2
    assert Notification.objects.filter(kind="scarce_approval").count() == 6

    hour_ago = timezone.now() - timedelta(hours=1)
    Notification.objects.update(created_at=hour_ago)
    approve(waiting_for_manager(officer, loan_amount=700_000).review_tasks.get(), senior)
    assert set(said()) == {"senior", "senior2"}


def test_letters_that_left_late_say_it_once(
    task: ReviewTask, senior: User, make_user: Callable[..., User]
) -> None:
    make_user("senior2", Role.SENIOR_MANAGER)
    approve(task, senior)  # before the letter about the open task was sent
    said()
    assert len([letter for letter in mail.outbox if AT_RISK in letter.subject]) == 2
    assert Notification.objects.count() == 2


def test_three_seniors_hear_no_warning_and_the_other_two_are_asked(
    task: ReviewTask, senior: User, make_user: Callable[..., User]
) -> None:
    for name in ("senior2", "senior3"):
        make_user(name, Role.SENIOR_MANAGER)
    approve(task, senior)
    assert said() == {}
    assert bells("second_approval") == {"senior2", "senior3"}
    assert bells("scarce_approval") == set()


def test_one_senior_hears_when_it_opens_that_nobody_can_give_the_second(
    task: ReviewTask, senior: User
) -> None:
    told = said()
    assert set(told) == {"senior", "root"}
    assert "waits for a senior manager" in told["senior"]
    assert all(NOBODY in letter for letter in told.values())
    assert "/admin/auth/user/" in told["root"]
    assert "/admin/applications/" not in told["root"]
    assert not Incident.objects.exists()  # somebody can give the first

    approve(task, senior)

    assert set(said()) == {"senior"}  # the superuser hears of the incident
    assert [letter.to for letter in mail.outbox if "Nobody can decide" in letter.subject] == [
        ["root@example.com"]
    ]
    assert Incident.objects.get().kind == "nobody_can_decide"


def test_no_senior_at_all_is_the_incident_alone(
    task: ReviewTask, senior: User, manager: User
) -> None:
    senior.is_active = False
    senior.save(update_fields=["is_active"])
    assert said() == {}
    assert Incident.objects.get().kind == "nobody_can_decide"
    assert not Notification.objects.exists()


def test_who_decides_for_a_senior_who_is_away_is_the_only_one_left(
    task: ReviewTask, senior: User, manager: User, make_user: Callable[..., User]
) -> None:
    hand_over(make_user("senior2", Role.SENIOR_MANAGER), manager)
    assert said() == {}

    approve(task, senior)

    told = said()
    assert set(told) == {"manager", "senior", "senior2"}
    also = "senior2 could too, and delegated their tasks."
    assert f"Nobody else can give the second approval now. {also}" in told["manager"]
    assert f"Only manager can give the second approval now. {also}" in told["senior"]

    approve(task, manager)
    assert ReviewTask.objects.get().status == "decided"


def test_tasks_handed_to_who_gave_the_first_depend_on_who_is_away(
    task: ReviewTask, senior: User, make_user: Callable[..., User]
) -> None:
    hand_over(make_user("senior2", Role.SENIOR_MANAGER), senior)
    approve(task, senior)
    told = said()
    assert set(told) == {"senior", "senior2"}
    assert "Only senior2 could give the second approval, and delegated" in told["senior"]


def test_who_worked_on_it_does_not_count(
    task: ReviewTask, senior: User, make_user: Callable[..., User]
) -> None:
    for name in ("senior2", "senior3"):
        worked = make_user(name, Role.SENIOR_MANAGER)
    ApplicationEvent.objects.create(
        application=task.application, kind="edited", message="Edited.", actor=worked
    )
    assert said() == {}
    approve(task, senior)
    told = said()
    assert set(told) == {"senior", "senior2", "senior3"}
    assert "Only senior2 can give" in told["senior3"]
    assert "waits for" not in told["senior3"]


def test_the_same_letter_split_again_notifies_nobody_twice(task: ReviewTask, senior: User) -> None:
    said()
    before = Notification.objects.count()
    OutboxMessage.objects.filter(key=f"task/{task.pk}").update(status="pending")
    assert said() == {}
    assert Notification.objects.count() == before == 2
