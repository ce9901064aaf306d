"""An applicant's answer to an offer: one counts, whoever gives how many at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction

from applications.models import ApplicationEvent, LoanApplication, LoanOffer
from applications.services import intake
from core.errors import DomainError
from lending.choices import Outcome
from partners.models import Partner
from reviews.choices import TaskKind
from reviews.errors import AlreadyDecided
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions
from reviews.services.offer_answers import offer_answer
from tests import casework
from workflows.models import OutboxMessage

WITH_COMMITS = pytest.mark.django_db(transaction=True)


def waiting(partner: Partner) -> LoanApplication:
    application = casework.offered(None, partner=partner)
    casework.ask(application, TaskKind.OFFER_ACCEPTANCE)
    return application


def at_once(works: list[Callable[[], Any]]) -> list[Any]:
    """Start all calls at once, each in its own thread; return each result or refusal."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        gate.wait()
        try:
            return work()
        except DomainError as refused:
            return refused
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


@WITH_COMMITS
@pytest.mark.parametrize("number", range(3))
def test_partner_and_staff_at_once_leave_one_answer_and_one_delivery(
    partner: Partner, officer: User, number: int
) -> None:
    application = waiting(partner)
    task = ReviewTask.objects.select_related("application").get()

    def answer(outcome: Outcome) -> None:
        offer_answer(reference=application.reference, partner=partner, outcome=outcome)

    def record() -> None:
        decisions.task_decide(task=task, user=officer, outcome=Outcome.DECLINE, reason="No.")

    found = at_once(
        [
            *[lambda: answer(Outcome.APPROVE)] * 3,
            *[lambda: answer(Outcome.DECLINE)] * 3,
            record,
        ]
    )

    decision = ReviewDecision.objects.get()
    task.refresh_from_db()
    assert (task.status, task.outcome) == ("decided", decision.outcome)
    assert {type(each) for each in found if each is not None} == {AlreadyDecided}
    assert found[:3].count(None) == (3 if decision.outcome == "approve" else 0)
    assert found[3:6].count(None) == (3 if decision.outcome == "decline" else 0)
    answers = OutboxMessage.objects.filter(kind="answer_callback")
    assert answers.filter(callback__review_task=task).count() == 1
    lines = ApplicationEvent.objects.filter(kind__startswith="offer_acceptance_")
    assert lines.count() == 1
    offer = LoanOffer.objects.get()
    assert (offer.accepted_at is None) != (offer.declined_at is None)


@WITH_COMMITS
def test_answer_and_withdrawal_at_once_end_in_one_of_the_two_orders(partner: Partner) -> None:
    application = waiting(partner)
    reference = application.reference

    answered, withdrawn = at_once(
        [
            lambda: offer_answer(reference=reference, partner=partner, outcome=Outcome.APPROVE),
            lambda: intake.application_withdraw(reference=reference, partner=partner),
        ]
    )

    assert isinstance(withdrawn, LoanApplication)
    application.refresh_from_db()
    assert application.status == "withdrawn"
    given = ReviewDecision.objects.count()
    assert (answered is None) == (given == 1)
    assert not OutboxMessage.objects.filter(kind="answer_callback", status="pending").exists()


@pytest.mark.both_databases
@pytest.mark.django_db
def test_database_keeps_one_answer_a_partner(partner: Partner) -> None:
    application = waiting(partner)
    offer_answer(reference=application.reference, partner=partner, outcome=Outcome.APPROVE)
    again = ReviewDecision(
        task=ReviewTask.objects.get(),
        partner=partner,
        outcome=Outcome.APPROVE,
        application_version=1,
        late=True,
    )

    with pytest.raises(IntegrityError), transaction.atomic():
        again.save()


@pytest.mark.django_db
def test_offer_is_accepted_or_declined_and_nothing_else(partner: Partner) -> None:
    application = waiting(partner)

    with pytest.raises(ValueError, match="accepted or declined"):
        offer_answer(reference=application.reference, partner=partner, outcome=Outcome.REFER)


@pytest.mark.django_db
def test_staff_who_record_an_answer_mark_the_offer_too(partner: Partner, officer: User) -> None:
    waiting(partner)
    decision = decisions.task_decide(
        task=ReviewTask.objects.get(), user=officer, outcome=Outcome.APPROVE
    )

    offer = LoanOffer.objects.get()
    assert (offer.accepted_at, offer.declined_at) == (decision.decided_at, None)
