"""Cases that are stuck, put there by the services that do that."""

import copy
from datetime import timedelta
from itertools import product
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model
from django.db.models.base import ModelState
from django.utils import timezone

from applications.models import Disbursement, LoanApplication
from applications.services.intake import ALPHABET, application_edit
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.errors import DecisionExpired
from reviews.models import ReviewTask
from reviews.services import decisions
from reviews.services.information import information_answer, information_ask
from tests import casework
from workflows import engine, executions, handover
from workflows.models import Execution, Incident, OutboxMessage
from workflows.outbox import queue
from workflows.steps import payout, review


def handed_over(
    application: LoanApplication,
    *,
    kind: Incident.Kind = Incident.Kind.FRAUD_UNANSWERED,
    sentence: str = "The fraud check was asked 3 times and did not answer.",
) -> Incident:
    """The run of this case gave up, as its last step says."""
    assert handover.application_hand_over(
        casework.run_of(application), kind=kind, sentence=sentence
    )
    application.refresh_from_db()
    return Incident.objects.filter(application=application, kind=kind).latest("pk")


def stuck(user: User, **fields: Any) -> Incident:
    """Alice's case: the fraud check never answered."""
    application = casework.submit(user, **fields)
    casework.assess(application)
    return handed_over(application)


def payout_unknown(user: User) -> Incident:
    """The rail's answer was lost: nobody knows whether it paid."""
    application = casework.disbursing(user)
    payout.disbursement_hold(casework.run_of(application), status=Disbursement.Status.UNKNOWN)
    return handed_over(
        application,
        kind=Incident.Kind.PAYOUT_UNKNOWN,
        sentence=f"Nobody knows whether {application.reference} was paid.",
    )


def payout_refused(user: User) -> Incident:
    """The rail said no, and says so again to the same order."""
    application = casework.disbursing(user)
    payout.disbursement_hold(casework.run_of(application), status=Disbursement.Status.REFUSED)
    return handed_over(
        application,
        kind=Incident.Kind.PAYOUT_REFUSED,
        sentence=f"The rail refused the payout of {application.reference}.",
    )


def given_up(message: OutboxMessage) -> Incident:
    """The last try of a message fails as well: nobody is at the engine's address."""
    OutboxMessage.objects.filter(pk=message.pk).update(
        attempts=queue.TRIES - 1, due_at=timezone.now(), leased_until=None
    )
    engine.forget_client()
    assert not queue.send_now(message.key)
    engine.forget_client()
    return Incident.objects.get(message=message, kind=Incident.Kind.DELIVERY_FAILED)


def start_given_up(user: User) -> Incident:
    """A submitted case whose start did not get through."""
    application = casework.submit(user)
    return given_up(OutboxMessage.objects.get(key=f"start/{application.reference}-1"))


def answer_given_up(user: User, decider: User) -> Incident:
    """A decision that was recorded and did not get through."""
    task = casework.waiting_for_manager(user).review_tasks.get()
    decisions.task_decide(task=task, user=decider, outcome=Outcome.APPROVE)
    answers = OutboxMessage.objects.filter(kind=OutboxMessage.Kind.ANSWER_CALLBACK)
    return given_up(answers.get(callback__review_task=task))


def expired_then_approved(user: User, decider: User, **fields: Any) -> Incident:
    """The case expired; then somebody approved it, too late."""
    application = casework.waiting_for_manager(user, **fields)
    over = timezone.now() - timedelta(minutes=1)
    ReviewTask.objects.filter(application=application).update(
        expires_at=over, due_at=over - timedelta(days=1), opened_at=over - timedelta(days=7)
    )
    assert review.expired(casework.run_of(application), TaskKind.MANAGER_APPROVAL)
    executions.execution_end(casework.run_of(application), status=Execution.Status.SUCCEEDED)
    try:
        decisions.task_decide(
            task=application.review_tasks.get(), user=decider, outcome=Outcome.APPROVE
        )
    except DecisionExpired:
        return Incident.objects.get(application=application, kind=Incident.Kind.DECISION_LATE)
    raise AssertionError("the decision was not too late")


def outage(user: User, number: int) -> list[LoanApplication]:
    """As many stuck cases of one kind: the first by the services, the others are its copies."""
    first = stuck(user)
    case, run = first.application, first.execution
    assert run is not None
    ends = ["".join(pair) for pair in product(ALPHABET, repeat=2)]
    begin, own = case.reference[:-2], case.reference[-2:]
    references = [f"{begin}{end}" for end in ends if end != own][: number - 1]
    copies = LoanApplication.objects.bulk_create(
        _copy(case, reference=reference) for reference in references
    )
    runs = Execution.objects.bulk_create(
        _copy(run, application=each, name=f"{each.reference}-1", arn=None) for each in copies
    )
    Incident.objects.bulk_create(
        _copy(first, application=each, execution=its, key=f"{first.kind}/{its.name}")
        for each, its in zip(copies, runs, strict=True)
    )
    return [case, *copies]


def _copy[M: Model](row: M, **other: Any) -> M:
    """An unsaved copy of a row, with other values."""
    made = copy.copy(row)
    made.pk, made._state = None, ModelState()
    for name, value in other.items():
        setattr(made, name, value)
    return made


def approval_voided(officer: User, manager: User) -> LoanApplication:
    """An application that was edited after a manager had approved it, and is asked again."""
    application = casework.waiting_for_manager(officer)
    task = application.review_tasks.get()
    decisions.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    application.refresh_from_db()
    version = application.version
    return application_edit(
        reference=application.reference, user=officer, version=version, phone="613-555-0199"
    )


def questions(officer: User, manager: User) -> None:
    """Two applications that were sent back with a question, the second of which is answered."""
    for answer in ("", "Gross."):
        task = casework.waiting_for_manager(officer).review_tasks.get()
        asked = information_ask(task=task, user=manager, message="Is the income net or gross?")
        if answer:
            information_answer(request=asked, user=officer, answer=answer)
