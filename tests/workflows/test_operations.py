"""Services of Operations for stuck applications: permissions, and the record of each action."""

from collections.abc import Callable
from itertools import product

import pytest
from django.contrib.auth.models import User

from accounts.roles import Role
from applications.errors import ApplicationClosed, TransitionRefused
from applications.models import ApplicationEvent, LoanApplication
from applications.services import intake
from core.errors import NotPermitted
from tests.casework import disbursing, run_of
from tests.sizes import some
from tests.workflows.conftest import audit
from tests.workflows.lambda_stub import LambdaStub
from workflows import incidents
from workflows import operations as ops
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback
from workflows.outbox import queue
from workflows.proposals import settlement_propose
from workflows.steps import offer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("decider")]


# --- Stop, pause, resume -------------------------------------------------------------------


def test_stop_ends_the_wait_and_leaves_a_case_that_says_so(
    waiting: LoanApplication, operations: User, aws: LambdaStub
) -> None:
    queue.send_due()
    ops.application_stop(reference=waiting.reference, user=operations, reason="Wrong applicant.")
    waiting.refresh_from_db()
    assert (waiting.status, waiting.waiting_on, waiting.version) == ("needs_attention", "", 2)
    assert waiting.review_tasks.get().status == "cancelled"
    assert PendingCallback.objects.get().status == "cancelled"
    incident = Incident.objects.get()
    assert (incident.kind, incident.status) == ("stopped", "open")
    assert "operations stopped the workflow" in incident.sentence
    assert audit("stopped").data == {"reason": "Wrong applicant."}
    queue.send_due()
    assert aws.requests[-1][0].endswith("/stop")
    assert Execution.objects.get().status == "STOPPED"


def test_stop_is_refused_while_money_may_be_on_its_way(officer: User, operations: User) -> None:
    application = disbursing(officer)
    with pytest.raises(ops.NothingToHold, match="money may be on its way"):
        ops.application_stop(reference=application.reference, user=operations, reason="x")
    application.refresh_from_db()
    assert application.status == "approved"
    assert not OutboxMessage.objects.filter(kind="stop_execution").exists()


def test_stopped_case_can_be_restarted_or_withdrawn(
    waiting: LoanApplication, operations: User, officer: User
) -> None:
    ops.application_stop(reference=waiting.reference, user=operations, reason="x")
    ops.application_restart(reference=waiting.reference, user=operations)
    assert Incident.objects.get().status == "resolved"
    ops.application_stop(reference=waiting.reference, user=operations, reason="y")
    intake.application_withdraw(reference=waiting.reference, user=officer)
    assert not Incident.objects.exclude(status="resolved").exists()
    assert set(
        OutboxMessage.objects.filter(kind="stop_execution").values_list("key", flat=True)
    ) == {
        f"stop/{waiting.reference}-1",
        f"stop/{waiting.reference}-2",
    }


def test_pause_and_resume_are_noted_and_refused_twice(
    waiting: LoanApplication, operations: User
) -> None:
    hold = {"reference": waiting.reference, "user": operations}
    with pytest.raises(ops.NothingToHold, match="not paused"):
        ops.execution_resume(**hold)
    ops.execution_pause(reason="Look at it.", **hold)
    with pytest.raises(ops.NothingToHold, match="paused already"):
        ops.execution_pause(reason="Again.", **hold)
    assert audit("paused").data == {"reason": "Look at it."}
    ops.execution_resume(**hold)
    assert Execution.objects.get().paused_at is None
    assert audit("resumed").actor == operations


def test_nothing_runs_for_a_case_that_is_stuck_or_closed(
    stuck: LoanApplication, operations: User, officer: User
) -> None:
    for _ in range(2):
        with pytest.raises(ops.NothingToHold, match="No workflow runs"):
            ops.application_stop(reference=stuck.reference, user=operations, reason="x")
        with pytest.raises(ops.NothingToHold, match="No workflow runs"):
            ops.execution_pause(reference=stuck.reference, user=operations, reason="x")
        intake.application_withdraw(reference=stuck.reference, user=officer)


# --- Who else ------------------------------------------------------------------------------


PRESSES: dict[str, Callable[[LoanApplication, User], object]] = {
    "restart": lambda a, u: ops.application_restart(reference=a.reference, user=u),
    "stop": lambda a, u: ops.application_stop(reference=a.reference, user=u, reason="x"),
    "pause": lambda a, u: ops.execution_pause(reference=a.reference, user=u, reason="x"),
    "resume": lambda a, u: ops.execution_resume(reference=a.reference, user=u),
    "paid": lambda a, u: settlement_propose(reference=a.reference, user=u, paid=True),
    "not paid": lambda a, u: settlement_propose(reference=a.reference, user=u, paid=False),
    "acknowledge": lambda a, u: incidents.incident_acknowledge(incident=a.incidents.get(), user=u),
    "resolve": lambda a, u: incidents.incident_resolve(
        incident=a.incidents.get(), user=u, note="x"
    ),
    "resend": lambda a, u: ops.message_resend(
        message=OutboxMessage.objects.get(execution__application=a, kind="start_execution"), user=u
    ),
}


@pytest.mark.long
@pytest.mark.parametrize(
    ("press", "role"),
    some(product(PRESSES, [role for role in Role if role != Role.OPERATIONS]), of=4),
)
def test_nobody_but_operations_presses(
    press: str, role: Role, stuck: LoanApplication, make_user: Callable[..., User]
) -> None:
    before = ApplicationEvent.objects.count()
    with pytest.raises(NotPermitted):
        PRESSES[press](stuck, make_user("somebody", role))
    assert ApplicationEvent.objects.count() == before
    assert Incident.objects.get().status == "open"


def test_case_that_moves_by_itself_is_not_restarted(
    waiting: LoanApplication, operations: User
) -> None:
    with pytest.raises(TransitionRefused, match="it cannot become submitted"):
        ops.application_restart(reference=waiting.reference, user=operations)


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_run_of_an_attempt_before_the_restart_writes_nothing(
    stuck: LoanApplication, operations: User
) -> None:
    old = run_of(stuck)
    ops.application_restart(reference=stuck.reference, user=operations)
    before = ApplicationEvent.objects.count()
    with pytest.raises(ApplicationClosed, match="newer attempt"):
        offer.offer_begin(old)
    assert ApplicationEvent.objects.count() == before
