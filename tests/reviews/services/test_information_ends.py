"""A question ends with its task, and the database keeps what was asked and how it ended."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.roles import Role
from applications.models import ApplicationEvent, LoanApplication
from applications.services import intake
from lending.choices import Outcome
from reviews import errors
from reviews.choices import TaskKind
from reviews.models import InformationRequest, Notification, ReviewTask
from reviews.selectors import sent_back
from reviews.services import decisions, tasks
from reviews.services.information import information_answer, information_ask
from tests import casework
from tests.casework import run_of
from tests.reviews.services.questions import ANSWER, QUESTION, status
from workflows import handover, operations
from workflows.callbacks import pending
from workflows.models import Incident
from workflows.steps import review

pytestmark = pytest.mark.django_db


# --- The end of a question without an answer ------------------------------------------------------


def decided(task: ReviewTask, outcome: Outcome) -> None:
    decider = User.objects.get(username="manager2")
    decisions.task_decide(task=task, user=decider, outcome=outcome, reason="No.")


def decided_in_bulk(task: ReviewTask) -> None:
    decider = User.objects.get(username="manager2")
    with transaction.atomic():
        decisions.tasks_decide(
            versions={task.pk: task.application.version}, user=decider, outcome=Outcome.APPROVE
        )


def withdrawn(task: ReviewTask) -> None:
    officer = User.objects.get(username="officer")
    intake.application_withdraw(reference=task.application.reference, user=officer)


def timed_out(task: ReviewTask) -> None:
    ReviewTask.objects.filter(pk=task.pk).update(expires_at=timezone.now())
    pending.task_time_out(task_id=task.pk)


def expired_by_the_engine(task: ReviewTask) -> None:
    ReviewTask.objects.filter(pk=task.pk).update(expires_at=timezone.now())
    with transaction.atomic():
        assert review.expired(run_of(task.application), TaskKind.MANAGER_APPROVAL)


def restarted(task: ReviewTask) -> None:
    handed_over(task)
    operations.application_restart(
        reference=task.application.reference,
        user=User.objects.get(username="operations"),
        reason="Again.",
    )


def handed_over(task: ReviewTask) -> None:
    with transaction.atomic():
        handover.application_hand_over(
            run_of(task.application), kind=Incident.Kind.WORKFLOW_FAILED, sentence="It failed."
        )


def stopped(task: ReviewTask) -> None:
    operations.application_stop(
        reference=task.application.reference,
        user=User.objects.get(username="operations"),
        reason="Stop.",
    )


ENDS: dict[str, Callable[[ReviewTask], Any]] = {
    "approved": lambda task: decided(task, Outcome.APPROVE),
    "declined": lambda task: decided(task, Outcome.DECLINE),
    "decided in bulk": decided_in_bulk,
    "withdrawn": withdrawn,
    "its time is over": timed_out,
    "the engine stopped waiting": expired_by_the_engine,
    "handed over": handed_over,
    "restarted": restarted,
    "stopped": stopped,
}


@pytest.mark.parametrize("name", ENDS)
def test_question_ends_with_its_task(
    asked: InformationRequest, officer: User, other: User, operations: User, name: str
) -> None:
    ENDS[name](asked.task)

    assert asked.task.__class__.objects.get(pk=asked.task_id).status != "open"
    assert status(asked) == "cancelled"
    with pytest.raises(errors.QuestionCancelled, match="your answer was not stored"):
        information_answer(request=asked, user=officer, answer=ANSWER)
    assert not LoanApplication.objects.filter(sent_back()).exists()
    assert not ApplicationEvent.objects.filter(kind="question_answered").exists()


def test_every_place_that_closes_a_task_is_one_of_those_that_cancel() -> None:
    """An open task is closed by ``tasks``, and by ``answers`` that settle it; by nothing else."""
    words = ("status=TaskStatus.", "status = TaskStatus.")
    closing = {
        f"{path.relative_to(settings.BASE_DIR)}"
        for package in ("reviews", "workflows", "applications")
        for path in (Path(settings.BASE_DIR) / package).rglob("*.py")
        for line in path.read_text().splitlines()
        if any(f"{word}{end}" in line for word in words for end in ("DECIDED", "EXPIRED", "CANCEL"))
        and "filter" not in line
    }
    assert closing >= {"reviews/services/answers.py", "reviews/services/tasks.py"}
    assert closing - KNOWN == set()


# ``approvals`` cancels a decided task, and ``answers`` undoes one; the others only read.
KNOWN = {
    "reviews/models/tasks.py",
    "reviews/selectors.py",
    "reviews/services/answers.py",
    "reviews/services/approvals.py",
    "reviews/services/tasks.py",
    "workflows/reconcile/repairs.py",
    "workflows/voided_emails.py",
}


def test_approval_of_two_ends_the_question_of_who_gives_it_and_no_other(
    officer: User, senior: User, make_user: Callable[..., User]
) -> None:
    senior2 = make_user("senior2", Role.SENIOR_MANAGER)
    found = []
    for asker in (senior, senior2):
        task = casework.waiting_for_manager(officer, loan_amount=600_000).review_tasks.get()
        request = information_ask(task=task, user=asker, message=QUESTION)
        decisions.task_decide(task=task, user=senior, outcome=Outcome.APPROVE)
        found.append(status(request))
    assert found == ["cancelled", "open"]
    read = Notification.objects.filter(kind="sent_back").order_by("pk")
    assert [each.read_at is not None for each in read] == [True, False]


# --- The database ---------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_database_keeps_a_question_and_what_ended(
    asked: InformationRequest, task: ReviewTask, manager: User, officer: User
) -> None:
    rows = InformationRequest.objects.filter(pk=asked.pk)
    same = {"task": task, "asked_by": manager, "message": "?"}

    def refused(do: Callable[[], object]) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            do()

    refused(lambda: rows.update(message="Another?"))
    refused(lambda: rows.update(asked_by=officer))
    refused(lambda: rows.update(status="answered"))
    refused(lambda: rows.update(answer="Without a status."))
    refused(lambda: InformationRequest.objects.create(number=2, **same))
    ends = {"status": "answered", "answer": ANSWER, "answered_at": timezone.now()}
    refused(lambda: rows.update(**ends, answered_by=manager))
    information_answer(request=asked, user=officer, answer=ANSWER)
    refused(lambda: rows.update(answer="Net."))
    refused(lambda: rows.update(status="open", answer="", answered_by=None, answered_at=None))
    refused(rows.delete)
    refused(lambda: InformationRequest.objects.create(number=1, **same))
    InformationRequest.objects.create(number=2, **same)
    tasks.tasks_cancel(application=task.application)
    second = InformationRequest.objects.filter(number=2)
    assert second.get().status == "cancelled"
    refused(lambda: second.update(status="open", cancelled_at=None))
