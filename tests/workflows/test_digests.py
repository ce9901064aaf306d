"""One e-mail a day for each person who chose it, once, and what is urgent at once."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.utils import timezone

from accounts.models import Proposal
from accounts.roles import Role
from lending.choices import Outcome
from reviews.choices import MailMode
from reviews.models import MailChoice, Notification, ReviewTask
from reviews.services import decisions
from reviews.services.mail_choices import DIGEST_HOUR, digest_at, next_digest
from tests.casework import many_waiting_for_manager, waiting_for_manager
from tests.reviews.services.deciding import lower_second_threshold
from workflows import digests, proposal_emails, review_deadlines, sweep
from workflows.models import OutboxMessage, PeriodicRun
from workflows.outbox import queue

pytestmark = pytest.mark.django_db


def at(hour: int, *, days: int = 0) -> datetime:
    """An hour of the office's day that is so many days after tomorrow."""
    day = timezone.localdate() + timedelta(days=1 + days)
    return digest_at(day) + timedelta(hours=hour - DIGEST_HOUR)


def run(now: datetime, **bounds: float) -> dict[str, Any]:
    """The sweep's job at this time, as two sweeps may run it one after the other."""
    job = partial(digests.digests_write, now=now, **bounds)
    return sweep.now_and_then(digests.NAME, timedelta(), job)


def send() -> dict[str, str]:
    """Send what waits; returns subject and text of each letter, by the name of its reader."""
    mail.outbox.clear()
    OutboxMessage.objects.exclude(kind="email").delete()
    queue.send_due()
    return {
        letter.to[0].partition("@")[0]: f"{letter.subject}\n{letter.body}" for letter in mail.outbox
    }


def choose(user: User, mode: MailMode) -> None:
    MailChoice.objects.update_or_create(user=user, defaults={"mode": mode})


def test_what_waits_is_one_letter_a_day_and_never_a_second_one(
    officer: User, manager: User, senior: User, operations: User
) -> None:
    waiting_for_manager(officer)
    application = waiting_for_manager(officer, loan_amount=120_000)
    assert send() == {}  # both are due after the next digest

    assert run(at(6)) == {"people": 0, "written": 0}
    first = run(at(7))
    # The row of the job as it was, as a sweep has it that died, or one beside this.
    PeriodicRun.objects.update(result={}, place={})
    again = run(at(8))

    assert (first["written"], again["written"]) == (2, 0)
    told = send()
    assert set(told) == {"manager", "senior"}  # who has nothing waiting gets nothing
    letter = told["manager"]
    assert letter.startswith("Loan Office: your digest of ")
    assert "2 decisions wait for you. Due first:" in letter
    assert f"- {application.reference}, manager approval, 120,000.00 CAD, due " in letter
    assert f"/admin/applications/loanapplication/{application.pk}/change/" in letter
    assert "/admin/reviews/reviewtask/?mine=yes" in letter
    assert "/admin/notifications/" in letter
    assert "Alice" not in letter
    assert run(at(23)) == {"day": f"{at(7).date()}", "people": 0, "written": 0}
    assert run(at(7, days=1))["written"] == 2


def test_bounded_run_goes_on_where_the_last_one_stopped(
    officer: User, manager: User, senior: User
) -> None:
    waiting_for_manager(officer)
    runs = [run(at(7), seconds=0.0) for _ in range(4)]
    assert [each["people"] for each in runs] == [1, 1, 1, 0]
    assert sum(each["written"] for each in runs) == 2
    assert PeriodicRun.objects.get(name=digests.NAME).place == {}


@pytest.mark.parametrize("why", ["decided", "deactivated", "chose"])
def test_digest_that_has_nothing_to_say_by_then_is_left_out(
    officer: User, manager: User, why: str
) -> None:
    task = waiting_for_manager(officer).review_tasks.get()
    assert send() == {}
    assert run(at(7))["written"] == 1
    if why == "decided":
        decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    elif why == "deactivated":
        User.objects.filter(pk=manager.pk).update(is_active=False)
    else:
        choose(manager, MailMode.URGENT)
    assert "manager" not in send()
    assert OutboxMessage.objects.get(key__startswith="digest/").note == (
        "Nothing sent: not needed any more"
    )


def test_who_is_deactivated_or_chose_otherwise_is_not_looked_at(
    officer: User, manager: User, senior: User, analyst: User
) -> None:
    waiting_for_manager(officer)
    User.objects.filter(pk=manager.pk).update(is_active=False)
    choose(senior, MailMode.NONE)
    User.objects.filter(pk=analyst.pk).update(email="")
    assert run(at(7)) == {"day": f"{at(7).date()}", "people": 1, "written": 0}


# The mode, and which letters of a new, a late and a scarce task it lets through at once.
MODES = {
    MailMode.AT_ONCE: (True, True),
    MailMode.DIGEST: (False, True),
    MailMode.URGENT: (False, True),
    MailMode.NONE: (False, False),
}


@pytest.mark.parametrize("mode", MODES)
def test_letters_of_a_task_come_as_each_person_chose(
    officer: User, manager: User, mode: MailMode
) -> None:
    choose(manager, mode)
    task = waiting_for_manager(officer).review_tasks.get()
    routine, urgent = MODES[mode]
    assert ("manager" in send()) == routine
    review_deadlines.pass_deadlines(now=task.due_at)
    assert ("manager" in send()) == urgent
    review_deadlines.pass_deadlines(now=task.opened_at + (task.expires_at - task.opened_at) / 2)
    assert ("manager" in send()) == urgent
    assert run(at(7))["written"] == (mode == MailMode.DIGEST)


def test_task_that_is_due_before_the_next_digest_is_mailed_at_once(
    officer: User, manager: User
) -> None:
    first, second = many_waiting_for_manager(officer, 2)
    OutboxMessage.objects.all().delete()
    soon = next_digest(timezone.now())
    for application, due_at in ((first, soon), (second, soon + timedelta(minutes=1))):
        task = application.review_tasks.get()
        ReviewTask.objects.filter(pk=task.pk).update(due_at=due_at)
        review_deadlines.notify(task=task, notice=review_deadlines.Notice.OPENED)
    assert first.reference in send()["manager"]
    assert len(mail.outbox) == 1


def test_second_approval_is_at_once_only_where_nobody_else_could_give_it(
    officer: User, manager: User, senior: User, make_user: Callable[..., User]
) -> None:
    lower_second_threshold()
    make_user("senior2", Role.SENIOR_MANAGER)
    task = waiting_for_manager(officer, loan_amount=400_000).review_tasks.get()
    decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    assert send() == {}  # two may give it
    assert Notification.objects.filter(kind="second_approval").count() == 2

    task = waiting_for_manager(officer, loan_amount=410_000).review_tasks.get()
    decisions.task_decide(task=task, user=senior, outcome=Outcome.APPROVE)
    assert set(send()) == {"senior", "senior2"}


@pytest.mark.parametrize("status", ["confirmed", "rejected"])
def test_proposal_is_at_once_where_one_may_confirm_it_or_it_is_sent_back(
    manager: User, monkeypatch: pytest.MonkeyPatch, make_user: Callable[..., User], status: str
) -> None:
    policy, policy2, policy3 = (make_user(name, Role.POLICY_OWNER) for name in ("a", "b", "c"))
    proposal = Proposal.objects.create(
        kind="lending.publish", subject="1", title="Publish version 2", proposed_by=policy
    )
    for people, at_once in (([policy2], {"b"}), ([policy2, policy3], set())):
        monkeypatch.setattr(
            proposal_emails.proposals, "confirmers_of_proposal", lambda _, found=people: found
        )
        OutboxMessage.objects.all().delete()
        proposal_emails.tell_confirmers(proposal)
        assert set(send()) == at_once
    assert Notification.objects.filter(kind="to_confirm", read_at=None).count() == 2

    Proposal.objects.update(status=status, decided_by=policy2, decided_at=timezone.now())
    proposal.refresh_from_db()
    proposal_emails.tell_proposer(proposal)
    at_once = {"a"} if status == "rejected" else set()
    assert set(send()) == at_once
    assert not Notification.objects.filter(kind="to_confirm", read_at=None).exists()
    # What was not mailed is in the digest, once.
    assert run(at(7))["written"] == (status == "confirmed")
    if status == "confirmed":
        assert "- Your proposal: Confirmed: Publish version 2" in send()["a"]
        assert run(at(7, days=1))["written"] == 0


def test_day_begins_by_the_clocks_of_the_office(settings: Any) -> None:
    settings.TIME_ZONE = "America/Toronto"
    # The night before, the clocks went forward.
    assert digest_at(date(2026, 3, 8)) == datetime(2026, 3, 8, 11, tzinfo=UTC)
    assert digest_at(date(2026, 3, 7)) == datetime(2026, 3, 7, 12, tzinfo=UTC)
    assert next_digest(datetime(2026, 3, 8, 3, 30, tzinfo=UTC)) == digest_at(date(2026, 3, 8))
    assert next_digest(datetime(2026, 3, 8, 11, tzinfo=UTC)) == digest_at(date(2026, 3, 9))
