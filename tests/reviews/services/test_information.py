"""A task is sent back to the loan officers with a question: who asks, who answers, how it ends."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.utils import timezone

from accounts.roles import Role
from applications.choices import Status
from applications.models import ApplicationEvent, LoanApplication
from applications.selectors import application_view, applications
from applications.services import intake
from audit.models import Action, AuditEntry
from core.errors import InvalidFields, NotPermitted
from lending.choices import Outcome
from reviews import errors
from reviews.choices import TaskKind
from reviews.models import Delegation, InformationRequest, Notification, ReviewDecision, ReviewTask
from reviews.selectors import to_answer
from reviews.services import decisions
from reviews.services.claims import task_claim
from reviews.services.information import (
    LONGEST,
    information_answer,
    information_ask,
    people_to_answer,
)
from tests import casework
from tests.reviews.services.questions import ANSWER, QUESTION, status
from workflows.admin.messages import sent_about
from workflows.models import OutboxMessage, PendingCallback
from workflows.outbox import queue

pytestmark = pytest.mark.django_db


# --- Ask ------------------------------------------------------------------------------------------


def test_asking_leaves_task_callback_deadlines_and_the_api_as_they_are(
    waiting: LoanApplication, task: ReviewTask, manager: User
) -> None:
    before = ReviewTask.objects.values().get()
    shown = application_view(applications(partner=None).get(pk=waiting.pk))

    request = information_ask(task=task, user=manager, message=f"  {QUESTION} ")

    assert (request.number, request.status, request.message) == (1, "open", QUESTION)
    assert (request.asked_by, request.on_behalf_of, request.answer) == (manager, None, "")
    assert ReviewTask.objects.values().get() == before | {"sent_back_at": request.asked_at}
    assert PendingCallback.objects.get().status == "open"
    assert application_view(applications(partner=None).get(pk=waiting.pk)) == shown
    event = ApplicationEvent.objects.get(kind="sent_back")
    assert (event.actor, event.is_internal) == (manager, True)
    assert event.message == f"Manager approval: sent back with a question: “{QUESTION}”"
    entry = AuditEntry.objects.get(message=event.message)
    assert (entry.action, entry.actor, entry.reference) == (
        Action.CHANGED,
        manager,
        waiting.reference,
    )


@pytest.mark.parametrize("typed", ["", "  \n", "x" * (LONGEST + 1)])
def test_question_and_answer_are_required_and_bounded(
    asked: InformationRequest, officer: User, manager: User, typed: str
) -> None:
    other = casework.waiting_for_manager(officer).review_tasks.get()
    with pytest.raises(InvalidFields) as refused:
        information_ask(task=other, user=manager, message=typed)
    assert set(refused.value.errors) == {"message"}
    with pytest.raises(InvalidFields) as refused:
        information_answer(request=asked, user=officer, answer=typed)
    assert set(refused.value.errors) == {"answer"}
    assert InformationRequest.objects.count() == 1
    assert status(asked) == "open"


def test_contact_details_in_a_text_are_masked(
    waiting: LoanApplication, task: ReviewTask, manager: User, officer: User
) -> None:
    request = information_ask(task=task, user=manager, message=f"Is {waiting.phone} right?")
    answered = information_answer(request=request, user=officer, answer=f"No: {waiting.email}.")

    kept = [request.message, answered.answer]
    kept += ApplicationEvent.objects.values_list("message", flat=True)
    kept += Notification.objects.values_list("sentence", flat=True)
    assert not [text for text in kept if waiting.phone in text or waiting.email in text]


def test_only_who_may_decide_now_may_ask(
    waiting: LoanApplication,
    task: ReviewTask,
    officer: User,
    auditor: User,
    manager: User,
    other: User,
    make_user: Callable[..., User],
) -> None:
    """By the check of a decision: permission, four eyes, ceiling, claim, time and state."""
    both = make_user("both", Role.LOAN_OFFICER, Role.MANAGER)
    intake.application_edit(reference=waiting.reference, user=both, phone="613-555-0142")
    large = casework.waiting_for_manager(officer, loan_amount=Decimal(300_000)).review_tasks.get()
    offered = casework.ask(casework.offered(officer), TaskKind.OFFER_ACCEPTANCE)
    task_claim(task=task, user=manager)
    for each, user, error in (
        (task, officer, NotPermitted),
        (task, auditor, NotPermitted),
        (task, both, errors.FourEyesViolation),
        (large, manager, errors.AboveCeiling),
        (task, other, errors.ClaimedBySomebodyElse),
        (offered, officer, NotPermitted),
    ):
        with pytest.raises(error):
            information_ask(task=each, user=user, message=QUESTION)
    ReviewTask.objects.filter(pk=task.pk).update(expires_at=timezone.now())
    with pytest.raises(errors.DecisionExpired):
        information_ask(task=task, user=manager, message=QUESTION)
    assert not InformationRequest.objects.exists()
    assert not ApplicationEvent.objects.filter(kind="sent_back").exists()


def test_own_claim_ends_and_a_second_question_waits_for_the_first(
    task: ReviewTask, manager: User, other: User, officer: User
) -> None:
    task_claim(task=task, user=manager)
    first = information_ask(task=task, user=manager, message=QUESTION)

    task.refresh_from_db()
    assert task.claimed_by is None
    with pytest.raises(errors.QuestionOpen, match="sent back by manager at"):
        information_ask(task=task, user=other, message="Another?")
    information_answer(request=first, user=officer, answer=ANSWER)
    second = information_ask(task=task, user=other, message="Another?")
    assert (second.number, status(first), status(second)) == (2, "answered", "open")


def test_delegate_asks_in_the_right_of_who_is_away(
    officer: User, senior: User, manager: User
) -> None:
    now = timezone.now()
    times = {"starts_at": now - timedelta(hours=1), "ends_at": now + timedelta(hours=1)}
    Delegation.objects.create(delegator=senior, delegate=manager, created_by=senior, **times)
    large = casework.waiting_for_manager(officer, loan_amount=300_000).review_tasks.get()

    request = information_ask(task=large, user=manager, message=QUESTION)

    assert (request.asked_by, request.on_behalf_of) == (manager, senior)
    data = ApplicationEvent.objects.get(kind="sent_back").data
    assert data["on_behalf_of"] == "senior"


# --- Answer ---------------------------------------------------------------------------------------


def test_answer_is_kept_and_who_gave_it_does_not_decide(
    waiting: LoanApplication, asked: InformationRequest, make_user: Callable[..., User]
) -> None:
    both = make_user("both", Role.LOAN_OFFICER, Role.MANAGER)

    answered = information_answer(request=asked, user=both, answer=f" {ANSWER} ")

    assert (answered.status, answered.answer, answered.answered_by) == ("answered", ANSWER, both)
    event = ApplicationEvent.objects.get(kind="question_answered")
    assert (event.actor, event.is_internal) == (both, True)
    assert event.message == f"Manager approval: the question was answered: “{ANSWER}”"
    with pytest.raises(errors.FourEyesViolation, match="You answered a question about LOAN-"):
        decisions.task_decide(task=asked.task, user=both, outcome=Outcome.APPROVE)
    assert not decisions.tasks_decidable(user=both, now=timezone.now()).exists()
    version = waiting.version
    waiting.refresh_from_db()
    assert (waiting.version, waiting.status) == (version, Status.PENDING_APPROVAL)


def test_any_officer_answers_once_but_not_who_asked(
    asked: InformationRequest,
    officer: User,
    officer2: User,
    manager: User,
    auditor: User,
    make_user: Callable[..., User],
) -> None:
    for user in (manager, auditor, make_user("root", is_superuser=True)):
        with pytest.raises(NotPermitted):
            information_answer(request=asked, user=user, answer=ANSWER)
    manager.groups.add(officer.groups.get())
    with pytest.raises(NotPermitted, match="You asked"):
        information_answer(request=asked, user=User.objects.get(pk=manager.pk), answer=ANSWER)
    information_answer(request=asked, user=officer2, answer=ANSWER)

    with pytest.raises(errors.QuestionAnswered, match=r"answered by officer2 at .* not stored"):
        information_answer(request=asked, user=officer, answer="Net.")
    asked.refresh_from_db()
    assert (asked.answer, asked.answered_by) == (ANSWER, officer2)


def test_first_approval_stays_after_an_answer_and_is_voided_by_an_edit(
    officer: User, senior: User, make_user: Callable[..., User]
) -> None:
    application = casework.waiting_for_manager(officer, loan_amount=600_000)
    task = application.review_tasks.get()
    senior2 = make_user("senior2", Role.SENIOR_MANAGER)
    decisions.task_decide(task=task, user=senior, outcome=Outcome.APPROVE)
    asked = information_ask(task=task, user=senior2, message=QUESTION)
    information_answer(request=asked, user=officer, answer=ANSWER)
    assert ReviewDecision.objects.get().voided_at is None

    again = information_ask(task=task, user=senior2, message="And the phone?")
    intake.application_edit(reference=application.reference, user=officer, phone="613-555-0142")

    assert ReviewDecision.objects.get().voided_at is not None
    assert status(again) == "open"  # the edit may be what it asks for
    information_answer(request=again, user=officer, answer="Corrected.")
    decisions.task_decide(task=task, user=senior2, outcome=Outcome.APPROVE)
    task.refresh_from_db()
    assert task.status == "open"


# --- Who is asked ---------------------------------------------------------------------------------


def asked_of(request: InformationRequest) -> set[str]:
    """The people who are asked, wherever that is said."""
    application, asker = request.task.application, request.asked_by
    found = {user.username for user in people_to_answer(application=application, asker=asker)}
    listed = {
        user.username
        for user in User.objects.filter(is_active=True)
        if LoanApplication.objects.filter(to_answer(user), pk=request.task.application_id).exists()
    }
    rung = set(
        Notification.objects.filter(subject=f"information/{request.pk}").values_list(
            "user__username", flat=True
        )
    )
    assert found == listed == rung
    return found


def test_submitter_is_asked_and_where_they_cannot_answer_every_officer(
    officer: User, officer2: User, manager: User, partner: Any
) -> None:
    theirs, left, moved = (casework.waiting_for_manager(officer) for _ in range(3))
    by_partner = casework.waiting_for_manager(None, partner=partner)

    def ask(application: LoanApplication) -> InformationRequest:
        return information_ask(task=application.review_tasks.get(), user=manager, message=QUESTION)

    assert asked_of(ask(theirs)) == {"officer"}
    assert asked_of(ask(by_partner)) == {"officer", "officer2"}
    User.objects.filter(pk=officer.pk).update(is_active=False)
    assert asked_of(ask(left)) == {"officer2"}
    User.objects.filter(pk=officer.pk).update(is_active=True)
    officer.groups.clear()
    assert asked_of(ask(moved)) == {"officer2"}


def test_bell_rings_at_once_and_letters_follow_for_who_answers_and_for_who_asked(
    asked: InformationRequest, officer: User, officer2: User, manager: User
) -> None:
    reference = asked.task.application.reference
    (rung,) = Notification.objects.all()
    assert (rung.user, rung.kind, rung.task) == (officer, "sent_back", asked.task)
    assert rung.sentence == f"{reference}: sent back with a question: “{QUESTION}”"
    assert next(each.about for each in sent_about(asked.task.application)) == (
        "A question, or its answer"
    )
    letters = send()
    assert [(each.to, each.subject) for each in letters] == [
        ([officer.email], f"Sent back: {reference}")
    ]
    assert QUESTION not in letters[0].body
    assert "The time to decide goes on" in letters[0].body

    information_answer(request=asked, user=officer2, answer=ANSWER)

    rung.refresh_from_db()
    assert rung.read_at is not None
    told = Notification.objects.get(kind="answered")
    assert (told.user, told.sentence) == (
        manager,
        f"{reference}: your question was answered: “{ANSWER}”",
    )
    assert [(each.to, each.subject) for each in send()] == [
        ([manager.email], f"Answered: {reference}")
    ]


def test_letter_that_is_late_is_not_sent(
    asked: InformationRequest, officer: User, other: User
) -> None:
    information_answer(request=asked, user=officer, answer=ANSWER)
    decisions.task_decide(task=asked.task, user=other, outcome=Outcome.APPROVE)

    assert [each.subject for each in send() if ": LOAN-" in each.subject] == []


def send() -> list[Any]:
    mail.outbox.clear()
    OutboxMessage.objects.exclude(payload__has_key="information").update(status="sent")
    for _ in range(2):
        queue.send_due()
    return list(mail.outbox)
