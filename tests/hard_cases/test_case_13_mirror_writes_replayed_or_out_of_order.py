"""Hard case 13: mirror writes replayed or out of order.

Every step body runs again, of finished runs, of runs that sleep half way and of the attempt
before a restart, forwards and backwards: no row, status, event, letter or message changes.
The runs are the durable SDK's own; the bodies are then called as it would call them.
"""

from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.core import mail

from applications.choices import Bureau
from applications.errors import ApplicationClosed
from applications.models import LoanApplication
from applications.services import intake
from lending.choices import Outcome
from reviews.choices import TaskKind
from reviews.models import ReviewTask
from reviews.services import decisions
from tests import casework
from tests.casework import run_of, submit
from tests.functions.test_loan_approval import open_task
from tests.functions.wire import Wire, wire
from tests.hard_cases.step_bodies import Body, bodies
from tests.hard_cases.stored import everything_stored
from tests.sizes import some
from tests.waiting import eventually
from workflows.callbacks import pending
from workflows.errors import ProviderError
from workflows.models import Execution, OutboxMessage, PendingCallback, SimulatedPayout
from workflows.operations import application_restart, application_stop
from workflows.outbox import queue

pytestmark = pytest.mark.django_db(transaction=True)

APPROVE = Outcome.APPROVE
# A case that goes through every step: a manager, a flag, an analyst, the applicant.
DANA = {"sin_last4": "4444", "loan_amount": Decimal("150000.00")}
ORDER = [
    "validate",
    *Bureau.values,
    "risk_assessment",
    "open_manager_approval",
    "request_fraud_check-1",
    "open_fraud_review",
    "generating_offer",
    "open_offer_acceptance",
    "disbursing",
]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[Wire]:
    with wire(monkeypatch) as serving:
        yield serving


@pytest.fixture(autouse=True)
def _offers_are_accepted(transactional_db: None) -> None:
    casework.change_policies(offer_acceptance_required=True)


def assert_nothing_changes(again: dict[str, Body]) -> None:
    """Run these, forwards and backwards; each finds that it was here, or is turned away."""
    before, letters = everything_stored(), len(mail.outbox)
    for name, body in [*again.items(), *reversed(again.items())]:
        with suppress(ApplicationClosed, ProviderError):
            body()
        after = everything_stored()
        changed = [label for label, rows in after.items() if rows != before[label]]
        assert not changed, f"{name} changed {changed}"
    assert len(mail.outbox) == letters


def decide(application: LoanApplication, kind: TaskKind, user: User, outcome: Outcome) -> None:
    decisions.task_decide(
        task=open_task(application, kind), user=user, outcome=outcome, reason="As it stands."
    )


def end(aws: Wire, application: LoanApplication) -> LoanApplication:
    aws.result(f"{application.reference}-{application.attempt}")
    queue.send_due()  # the letters
    application.refresh_from_db()
    return application


# --- Finished runs ----------------------------------------------------------------------------


@pytest.fixture
def people(officer: User, manager: User, analyst: User, operations: User) -> dict[TaskKind, User]:
    return {
        TaskKind.MANAGER_APPROVAL: manager,
        TaskKind.FRAUD_REVIEW: analyst,
        TaskKind.OFFER_ACCEPTANCE: officer,
    }


@pytest.mark.long
@pytest.mark.parametrize("declined_by", some([None, *TaskKind], of=2))
def test_run_that_people_ended(
    aws: Wire, officer: User, people: dict[TaskKind, User], declined_by: TaskKind | None
) -> None:
    application = submit(officer, **DANA)
    for kind, user in people.items():
        outcome = Outcome.DECLINE if kind == declined_by else Outcome.APPROVE
        decide(application, kind, user, outcome)
        if kind == declined_by:
            break
    end(aws, application)
    assert application.status == ("funded" if declined_by is None else "declined")
    assert_nothing_changes(bodies(run_of(application)))
    assert SimulatedPayout.objects.count() == (1 if declined_by is None else 0)
    assert not SimulatedPayout.objects.exclude(requests=1).exists()


def test_run_that_the_policy_declined(aws: Wire, officer: User) -> None:
    application = submit(officer, sin_last4="2222", loan_amount=Decimal("50000.00"))
    assert end(aws, application).status == "declined"
    assert_nothing_changes(bodies(run_of(application)))


def test_run_that_expired(aws: Wire, officer: User) -> None:
    application = submit(officer, **DANA)
    task = open_task(application, TaskKind.MANAGER_APPROVAL)
    ReviewTask.objects.update(expires_at=task.opened_at)
    pending.task_time_out(task_id=task.pk)
    assert end(aws, application).status == "expired"
    assert_nothing_changes(bodies(run_of(application)))


def test_run_of_a_case_that_was_withdrawn_or_stopped_under_it(
    aws: Wire, officer: User, operations: User, people: dict[TaskKind, User]
) -> None:
    aws.down = True  # nobody stops it: it might go on
    for close in (
        lambda a: intake.application_withdraw(reference=a.reference, user=officer),
        lambda a: application_stop(reference=a.reference, user=operations, reason="Wait."),
    ):
        aws.down = False
        application = submit(officer, **DANA)
        decide(application, TaskKind.MANAGER_APPROVAL, people[TaskKind.MANAGER_APPROVAL], APPROVE)
        open_task(application, TaskKind.FRAUD_REVIEW)
        aws.down = True
        close(application)
        assert_nothing_changes(bodies(run_of(application)))
    assert not SimulatedPayout.objects.exists()


# --- Runs that sleep half way -----------------------------------------------------------------


def test_run_that_sleeps_runs_its_steps_again_and_goes_on_as_if_nothing_was(
    aws: Wire, officer: User, people: dict[TaskKind, User]
) -> None:
    application = submit(officer, **DANA)
    for kind, user in people.items():
        open_task(application, kind)
        queue.send_due()
        so_far = ORDER[: ORDER.index(f"open_{kind.value}") + 1]
        again = bodies(run_of(application))
        assert_nothing_changes({name: again[name] for name in so_far})
        decide(application, kind, user, APPROVE)
    assert end(aws, application).status == "funded"
    assert SimulatedPayout.objects.get().requests == 1
    kinds = list(application.events.values_list("kind", flat=True))
    assert len(kinds) == len(set(kinds)), "a line of the timeline stands there twice"
    keys = list(OutboxMessage.objects.values_list("key", flat=True))
    assert keys.count(f"closed/{application.reference}-1") == 1
    assert Execution.objects.get().status == "SUCCEEDED"


def test_run_that_waits_for_the_fraud_service_asks_it_again_and_writes_nothing(
    aws: Wire, officer: User, people: dict[TaskKind, User]
) -> None:
    aws.fraud_check, answering = None, aws.fraud_check
    application = submit(officer, **DANA)
    decide(application, TaskKind.MANAGER_APPROVAL, people[TaskKind.MANAGER_APPROVAL], APPROVE)
    asked = PendingCallback.objects.filter(name="fraud_check-1", status="open")
    callback = eventually(asked.first)
    queue.send_due()
    again = bodies(run_of(application))
    so_far = ORDER[: ORDER.index("request_fraud_check-1") + 1]
    assert_nothing_changes({name: again[name] for name in so_far})
    event = {
        "application": application.reference,
        "callback_id": callback.callback_id,
        "execution": f"{application.reference}-1",
    }
    requests = [body for path, body in aws.requests if "/fraud-check" in path]
    assert [
        {name: value for name, value in body.items() if name != "request_id"} for body in requests
    ] == [event] * 3  # the run's own, and one each way
    assert answering is not None
    answering(event, None)
    open_task(application, TaskKind.FRAUD_REVIEW)


# --- The attempt before a restart -------------------------------------------------------------


def test_attempt_before_a_restart_changes_nothing_any_more(
    aws: Wire, officer: User, operations: User, people: dict[TaskKind, User]
) -> None:
    casework.change_policies(fraud_check_attempts=1)
    answering = aws.fraud_check
    aws.fraud_check = lambda event, _: aws.time_out(event["callback_id"])
    application = submit(officer, **DANA)
    decide(application, TaskKind.MANAGER_APPROVAL, people[TaskKind.MANAGER_APPROVAL], APPROVE)
    assert end(aws, application).status == "needs_attention"
    first = run_of(application)
    assert_nothing_changes(bodies(first))
    aws.fraud_check = answering

    aws.down = True
    application_restart(reference=application.reference, user=operations)
    assert_nothing_changes(bodies(first))  # before the new attempt begins
    aws.down = False
    OutboxMessage.objects.filter(status="pending").update(due_at=application.created_at)
    queue.send_due()
    application.refresh_from_db()
    for kind, user in people.items():
        open_task(application, kind)
        queue.send_due()
        assert_nothing_changes(bodies(first))  # while it waits
        decide(application, kind, user, APPROVE)
    assert (end(aws, application).status, application.attempt) == ("funded", 2)
    assert_nothing_changes(bodies(first))  # and when it is over
    assert_nothing_changes(bodies(run_of(application)))
    assert SimulatedPayout.objects.get().requests == 1
