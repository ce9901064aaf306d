"""Hard case 13: mirror writes replayed or out of order: nothing moves back, nothing twice.

Every step body of a run is run again at every later moment; what is on record, down to the
last message, must be what it was.
"""

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User

from applications.errors import CaseClosed
from applications.models import LoanApplication, ReviewTask
from applications.services import review
from applications.services.gate import Run
from applications.vocabulary import Bureau, FraudVerdict, Outcome, TaskKind
from functions import steps
from tests.casework import submit
from tests.functions.wire import Wire, wire
from tests.hard_cases.stored import everything_stored
from tests.waiting import eventually
from workflows import outbox
from workflows.models import Execution, Incident, OutboxMessage
from workflows.operations import application_restart

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[Wire]:
    with wire(monkeypatch) as serving:
        yield serving


type Step = Callable[[], object]


def steps_of(run: Run) -> dict[str, Step]:
    """Every body that a run may run, as it was called the first time."""
    manager, analyst = TaskKind.MANAGER_APPROVAL, TaskKind.FRAUD_REVIEW
    return {
        "validate": lambda: steps.validate(run, arn="arn:again"),
        **{bureau.value: lambda bureau=bureau: steps.pull_report(run, bureau) for bureau in Bureau},
        "risk": lambda: steps.assess_risk(run),
        "ask manager": lambda: steps.open_review(run, manager, callback_id="again"),
        "ask analyst": lambda: steps.open_review(run, analyst, callback_id="again too"),
        "ask fraud check": lambda: steps.request_fraud_check(
            run, callback_id="again 3", number=1, timeout=300, after=manager
        ),
        "offer": lambda: steps.generate_offer(run, verdict=FraudVerdict.PASSED),
        "disburse": lambda: steps.disburse(run),
        "decline": lambda: steps.decline(run, manager),
        "expire": lambda: steps.expire(run, manager, timed_out=True),
        "give up": lambda: steps.give_up(
            run, kind=Incident.Kind.WORKFLOW_FAILED, sentence="Again."
        ),
    }


def run_again(run: Run, *names: str) -> None:
    """Run these steps again, in this order and backwards; nothing that is stored changes."""
    before = everything_stored()
    bodies = steps_of(run)
    for name in (*names, *reversed(names)):
        try:
            bodies[name]()
        except CaseClosed:
            continue  # turned away at the gate
        finally:
            assert everything_stored() == before, name


def waiting(aws: Wire, officer: User) -> ReviewTask:
    application = submit(officer)
    task = eventually(
        lambda: ReviewTask.objects.filter(
            application=application, callback__isnull=False, status="open"
        ).first()
    )
    quiet(aws, application)
    return task


def quiet(aws: Wire, application: LoanApplication) -> None:
    """Until the invocation that got this far is over and everything has left."""
    name = f"{application.reference}-{application.attempt}"
    eventually(lambda: Execution.objects.get(name=name).status == "RUNNING")
    outbox.send_due()
    assert not OutboxMessage.objects.filter(status="pending").exists()


def funded(aws: Wire, officer: User, manager: User) -> Run:
    task = waiting(aws, officer)
    review.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    run = Run(task.application.reference, 1)
    aws.result(run.name)
    outbox.send_due()
    assert LoanApplication.objects.get().status == "funded"
    return run


EARLY = ("validate", "equifax", "transunion", "experian", "risk", "ask manager")
LATE = ("ask fraud check", "offer", "disburse")


def test_steps_of_a_run_that_waits_write_nothing_when_they_run_again(
    aws: Wire, officer: User
) -> None:
    task = waiting(aws, officer)
    run_again(Run(task.application.reference, 1), *EARLY)


def test_asking_again_after_the_decision_does_not_set_the_case_back(
    aws: Wire, officer: User, manager: User
) -> None:
    task = waiting(aws, officer)
    aws.down = True  # the answer stays on its way: the workflow has not heard of it
    review.task_decide(task=task, user=manager, outcome=Outcome.APPROVE)
    run_again(Run(task.application.reference, 1), *EARLY)
    assert LoanApplication.objects.get().status == "in_review"


def test_steps_of_a_finished_run_write_nothing_whatever_their_order(
    aws: Wire, officer: User, manager: User
) -> None:
    run = funded(aws, officer, manager)
    run_again(run, *EARLY, *LATE)
    run_again(run, *reversed(LATE), *EARLY)


def test_steps_that_the_run_never_came_to_are_turned_away_when_it_is_over(
    aws: Wire, officer: User, manager: User
) -> None:
    run = funded(aws, officer, manager)
    run_again(run, "ask analyst", "decline", "expire", "give up")


def test_steps_of_an_older_attempt_write_nothing(
    aws: Wire, officer: User, operations: User
) -> None:
    task = waiting(aws, officer)
    run = Run(task.application.reference, 1)
    steps.give_up(run, kind=Incident.Kind.WORKFLOW_FAILED, sentence="Stuck.")
    aws.down = True  # the second attempt stays where it is
    application_restart(reference=run.reference, user=operations)
    run_again(run, *EARLY, *LATE, "decline", "expire", "give up")
    assert LoanApplication.objects.get().attempt == 2
