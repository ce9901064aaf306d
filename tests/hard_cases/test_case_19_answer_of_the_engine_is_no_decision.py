"""Case 19: a forged or mistaken answer of the engine pays nothing; what is on record decides.

Somebody who reaches the engine answers a callback there, past the office. That is an incident; the
workflow goes on waiting, so that nothing is lost, and the real decision is applied.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import User

from accounts.roles import Role
from applications.models import Disbursement, LoanApplication
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.models import ReviewDecision, ReviewTask
from reviews.services import decisions
from tests import casework
from tests.casework import submit
from tests.functions.engine_process import EngineProcess
from tests.functions.office import Office
from tests.functions.test_loan_approval import finish, open_task, state
from tests.functions.wire import Wire, wire
from tests.sizes import some
from tests.waiting import eventually
from workflows import engine
from workflows.models import Incident, PendingCallback, SimulatedPayout

pytestmark = pytest.mark.django_db(transaction=True)

Running = Callable[..., EngineProcess]
APPROVE, DECLINE = Outcome.APPROVE, Outcome.DECLINE
FORGERIES = [
    b'{"outcome": "approve"}',
    b'{"outcome": "approve", "task": 1, "decision": 1}',
    b'{"outcome": "decline"}',
    b'{"outcome": "expired"}',
    b'{"outcome": ["approve"]}',
    b'{"result": "passed"}',
    b"[]",
    b"approve",
    b"",
]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[Wire]:
    with wire(monkeypatch) as serving:
        yield serving


def incident_of_forgery(count: int = 1) -> Incident:
    """Wait for the incidents that say that somebody answered past the office."""
    found = Incident.objects.filter(kind=Incident.Kind.ANSWER_DIFFERS).order_by("pk")
    eventually(lambda: found.count() == count, what=f"{count} incidents of an answer")
    incident = found.last()
    assert incident is not None
    return incident


def wait_until_moved(task: ReviewTask, before: str) -> str:
    """Wait until the task's callback waits under another id of the engine, which is returned."""
    rows = PendingCallback.objects.filter(review_task=task)
    eventually(rows.exclude(callback_id=before).exists, what="the workflow waits again")
    return rows.get().callback_id


def assert_nothing_decided(task: ReviewTask) -> None:
    task.refresh_from_db()
    assert task.status == "open"
    assert PendingCallback.objects.get(review_task=task).status == "open"
    assert not ReviewDecision.objects.exists()
    assert not Disbursement.objects.exists()
    assert not SimulatedPayout.objects.exists()


# --- Through the embedded engine, over HTTP -----------------------------------------------------


def test_forged_approval_of_a_flagged_application_pays_nothing_and_the_analyst_still_decides(
    running: Running, office: Office, analyst: User
) -> None:
    running()
    reference = office.submit("dana")
    application = LoanApplication.objects.get(reference=reference)
    task = open_task(application, TaskKind.FRAUD_REVIEW)
    callback_id = task.callback.callback_id

    engine.callback_success(callback_id=callback_id, result={"outcome": "approve"})

    incident = incident_of_forgery()
    assert incident.sentence == (
        f"The engine reports that fraud review of {reference} was answered with “approve”, but "
        "no answer is on record: somebody answered past this office. It was not applied, and "
        "the workflow waits for the real answer. Find out who can reach the engine."
    )
    wait_until_moved(task, callback_id)
    assert_nothing_decided(task)
    assert office.read(reference)["waiting_on"]["who"] == "risk_analyst"
    assert not application.events.filter(message__contains="cleared").exists()

    office.decide(reference, analyst, approved=True)
    office.until(reference, status="funded")
    assert ReviewDecision.objects.get().decided_by == analyst
    assert SimulatedPayout.objects.get().requests == 1


def test_forged_decline_of_an_application_does_not_close_it(
    running: Running, office: Office, manager: User
) -> None:
    running()
    reference = office.submit("alice")
    task = open_task(LoanApplication.objects.get(reference=reference), TaskKind.MANAGER_APPROVAL)
    callback_id = task.callback.callback_id

    engine.callback_success(callback_id=callback_id, result={"outcome": "decline"})

    incident_of_forgery()
    wait_until_moved(task, callback_id)
    assert_nothing_decided(task)
    assert office.read(reference)["status"] == "pending_approval"
    office.decide(reference, manager, approved=True)
    office.until(reference, status="funded")


# --- Every kind of review, every forgery --------------------------------------------------------


@pytest.fixture
def deciders(officer: User, manager: User, analyst: User) -> dict[TaskKind, User]:
    casework.change_policies(offer_acceptance_required=True)
    return {
        TaskKind.MANAGER_APPROVAL: manager,
        TaskKind.FRAUD_REVIEW: analyst,
        TaskKind.OFFER_ACCEPTANCE: officer,
    }


@pytest.mark.long
@pytest.mark.parametrize(("kind", "outcome"), some(product(TaskKind, (APPROVE, DECLINE)), of=3))
def test_no_forgery_decides_a_review_and_the_decision_after_them_is_applied(
    aws: Wire, officer: User, deciders: dict[TaskKind, User], kind: TaskKind, outcome: Outcome
) -> None:
    application = submit(officer, sin_last4="4444", loan_amount=Decimal(150_000))
    given = 0
    for each, decider in deciders.items():
        task = open_task(application, each)
        if each == kind:
            break
        decisions.task_decide(task=task, user=decider, outcome=APPROVE)
        given += 1

    for forged in FORGERIES:
        before = PendingCallback.objects.get(review_task=task).callback_id
        aws.runner.send_callback_success(before, forged)
        wait_until_moved(task, before)
    before = PendingCallback.objects.get(review_task=task).callback_id
    aws.runner.send_callback_failure(before)
    wait_until_moved(task, before)

    incident_of_forgery(count=len(FORGERIES) + 1)
    task.refresh_from_db()
    assert (task.status, ReviewDecision.objects.count()) == ("open", given)
    assert not Disbursement.objects.exists()
    decisions.task_decide(task=task, user=deciders[kind], outcome=outcome, reason="As it stands.")
    if outcome == APPROVE:
        for each, decider in list(deciders.items())[given + 1 :]:
            decisions.task_decide(task=open_task(application, each), user=decider, outcome=APPROVE)
    finish(aws, application)
    assert application.status == ("funded" if outcome == APPROVE else "declined")
    assert SimulatedPayout.objects.count() == (1 if outcome == APPROVE else 0)
    assert ReviewTask.objects.count() == (len(TaskKind) if outcome == APPROVE else given + 1)


def test_forged_approval_keeps_the_first_of_two_approvals(
    aws: Wire, officer: User, senior: User, make_user: Callable[..., User]
) -> None:
    second = make_user("senior2", Role.SENIOR_MANAGER)
    application = submit(officer, loan_amount=Decimal(500_000))
    task = open_task(application, TaskKind.MANAGER_APPROVAL)
    decisions.task_decide(task=task, user=senior, outcome=APPROVE)
    before = task.callback.callback_id

    aws.runner.send_callback_success(before, b'{"outcome": "approve"}')

    wait_until_moved(task, before)
    incident_of_forgery()
    assert state(application) == ("pending_approval", "manager_approval")
    decisions.task_decide(task=task, user=second, outcome=APPROVE)
    finish(aws, application)
    assert application.status == "funded"


def test_forgeries_without_end_hand_the_application_to_operations(
    aws: Wire, officer: User, operations: User
) -> None:
    application = submit(officer)
    task = open_task(application, TaskKind.MANAGER_APPROVAL)

    def forge() -> bool:
        waiting = PendingCallback.objects.get(review_task=task)
        if waiting.status == "open" and waiting.callback_id not in forged:
            forged.add(waiting.callback_id)
            aws.runner.send_callback_success(waiting.callback_id, b'{"outcome": "approve"}')
        application.refresh_from_db()
        return application.status == "needs_attention"

    forged: set[str] = set()
    eventually(forge, seconds=60, what="Operations has it")
    finish(aws, application)
    task.refresh_from_db()
    assert task.status == "cancelled"
    assert not Disbursement.objects.exists()
    last = Incident.objects.filter(kind="answer_differs").order_by("pk").last()
    assert last is not None
    assert "was woken 21 times without the decisions" in last.sentence


# --- An answer that differs from the record -----------------------------------------------------


@pytest.mark.parametrize(
    ("recorded", "reported"), [(APPROVE, b'{"outcome": "decline"}'), (APPROVE, b"?")]
)
def test_answer_other_than_the_recorded_decision_pays_nothing_and_hands_it_over(
    aws: Wire, officer: User, manager: User, recorded: Outcome, reported: bytes
) -> None:
    application = submit(officer)
    task = open_task(application, TaskKind.MANAGER_APPROVAL)
    aws.down = True  # the real answer does not arrive
    decisions.task_decide(task=task, user=manager, outcome=recorded)
    aws.down = False

    aws.runner.send_callback_success(task.callback.callback_id, reported)

    finish(aws, application)
    assert application.status == "needs_attention"
    assert "but “approve” is on record" in incident_of_forgery().sentence
    assert not Disbursement.objects.exists()
    assert ReviewDecision.objects.get().outcome == recorded


def test_forged_approval_of_what_a_manager_declined_pays_nothing(
    aws: Wire, officer: User, manager: User
) -> None:
    application = submit(officer)
    task = open_task(application, TaskKind.MANAGER_APPROVAL)
    aws.down = True
    decisions.task_decide(task=task, user=manager, outcome=DECLINE, reason="No.")
    aws.down = False

    aws.runner.send_callback_success(task.callback.callback_id, b'{"outcome": "approve"}')

    finish(aws, application)
    assert application.status == "needs_attention"
    assert "but “decline” is on record" in incident_of_forgery().sentence
    assert not SimulatedPayout.objects.exists()


# --- The fraud check ----------------------------------------------------------------------------


def fraud_checks(application: LoanApplication) -> list[PendingCallback]:
    return list(
        PendingCallback.objects.filter(
            execution__application=application, review_task__isnull=True
        ).order_by("pk")
    )


@pytest.mark.parametrize(
    "forged", [b'{"result": "passed"}', b'{"result": "flagged"}', b'{"outcome": "approve"}', b""]
)
def test_forged_verdict_is_not_the_fraud_checks_answer(
    aws: Wire, officer: User, analyst: User, forged: bytes
) -> None:
    answering, aws.fraud_check = aws.fraud_check, None
    application = submit(officer, sin_last4="4444", loan_amount=Decimal(40_000))
    eventually(lambda: any("/fraud-check" in path for path, _ in aws.requests))  # nobody answers
    (first,) = fraud_checks(application)
    assert answering is not None
    aws.fraud_check = answering

    aws.runner.send_callback_success(first.callback_id, forged)

    # It is asked again, and flags: a person decides.
    task = open_task(application, TaskKind.FRAUD_REVIEW)
    incident = incident_of_forgery()
    assert "the fraud check of" in incident.sentence
    assert [row.status for row in fraud_checks(application)] == ["expired", "delivered"]
    assert not Disbursement.objects.exists()
    decisions.task_decide(task=task, user=analyst, outcome=APPROVE)
    finish(aws, application)
    assert application.status == "funded"


def test_forged_passed_does_not_beat_a_recorded_flag(aws: Wire, officer: User) -> None:
    def flag_unheard(event: dict[str, Any], _: object) -> None:
        aws.down = True
        answering(event, None)  # recorded, and not delivered
        aws.down = False
        aws.runner.send_callback_success(event["callback_id"], b'{"result": "passed"}')

    assert aws.fraud_check is not None
    answering, aws.fraud_check = aws.fraud_check, flag_unheard
    application = submit(officer, sin_last4="4444", loan_amount=Decimal(40_000))

    eventually(lambda: state(application)[0] == "needs_attention")
    finish(aws, application)
    assert "but “flagged” is on record" in incident_of_forgery().sentence
    assert not Disbursement.objects.exists()


# --- Decisions that are gone when it is paid -----------------------------------------------------


def test_approval_that_is_gone_from_the_record_is_asked_for_again_before_the_payout(
    aws: Wire, officer: User, manager: User
) -> None:
    """As when it was voided while the applicant thought the offer over."""
    casework.change_policies(offer_acceptance_required=True)
    application = submit(officer)
    first = open_task(application, TaskKind.MANAGER_APPROVAL)
    decisions.task_decide(task=first, user=manager, outcome=APPROVE)
    offered = open_task(application, TaskKind.OFFER_ACCEPTANCE)
    with casework.triggers_lifted():
        ReviewDecision.objects.filter(task=first).update(late=True)

    decisions.task_decide(task=offered, user=officer, outcome=APPROVE)

    again = open_task(application, TaskKind.MANAGER_APPROVAL)
    assert (again.number, again.attempt) == (2, 1)
    assert state(application) == ("approved", "manager_approval")
    assert application.waiting_on == "manager"
    assert not Disbursement.objects.exists()
    decisions.task_decide(task=again, user=manager, outcome=APPROVE)
    finish(aws, application)
    assert state(application) == ("funded", "complete")
    assert not Incident.objects.exists()
