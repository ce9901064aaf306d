"""Services of Operations for stuck applications: permissions, and the record of each action."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from accounts.roles import Role
from applications.errors import ApplicationClosed, PayoutSettled, TransitionRefused
from applications.models import ApplicationEvent, Disbursement, LoanApplication
from applications.services import intake
from core.errors import NotPermitted
from tests.casework import assess, disbursing, pass_fraud_check, run_of, waiting_for_manager
from tests.workflows.lambda_stub import LambdaStub, lambda_stub
from tests.workflows.settling import settle
from workflows import handover, incidents
from workflows import operations as ops
from workflows.errors import (
    NothingToResend,
    PayoutFound,
    PayoutUnsettled,
    RailUnreachable,
    StillStuck,
)
from workflows.models import Execution, Incident, OutboxMessage, PendingCallback, SimulatedPayout
from workflows.outbox import queue
from workflows.proposals import settlement_propose
from workflows.steps import offer, payout

pytestmark = pytest.mark.django_db


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[LambdaStub]:
    with lambda_stub(monkeypatch) as stub:
        yield stub


@pytest.fixture
def waiting(officer: User) -> LoanApplication:
    return waiting_for_manager(officer)


@pytest.fixture
def stuck(waiting: LoanApplication) -> LoanApplication:
    with transaction.atomic():
        handover.application_hand_over(
            run_of(waiting), kind=Incident.Kind.WORKFLOW_FAILED, sentence="Stuck."
        )
    waiting.refresh_from_db()
    return waiting


@pytest.fixture
def unknown(officer: User) -> LoanApplication:
    """Nobody knows whether it was paid; the rail's books are empty."""
    application = disbursing(officer)
    payout.disbursement_hold(run_of(application), status=Disbursement.Status.UNKNOWN)
    with transaction.atomic():
        handover.application_hand_over(
            run_of(application), kind=Incident.Kind.PAYOUT_UNKNOWN, sentence="The answer was lost."
        )
    application.refresh_from_db()
    return application


@pytest.fixture
def asked_for(officer: User) -> LoanApplication:
    """The rail was asked to pay, or was about to be, and nobody could write down the rest."""
    application = disbursing(officer)
    with transaction.atomic():
        handover.application_hand_over(
            run_of(application), kind=Incident.Kind.WORKFLOW_FAILED, sentence="The books failed."
        )
    application.refresh_from_db()
    return application


def audit(kind: str) -> ApplicationEvent:
    event = ApplicationEvent.objects.get(kind=kind)
    assert event.is_internal
    return event


def book(application: LoanApplication, reference: str = "PAY-1") -> None:
    SimulatedPayout.objects.create(
        idempotency_key=f"payout-{application.reference}",
        reference=reference,
        amount=application.loan_amount,
        currency=application.currency,
    )


# --- Stop, pause, resume ----------------------------------------------------------------


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


# --- Money ------------------------------------------------------------------------------


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_payout_that_was_made_funds_the_case_once(
    unknown: LoanApplication, operations: User
) -> None:
    book(unknown, "PAY-7")
    settle(reference=unknown.reference, user=operations, paid=True, note="Bank says so.")
    unknown.refresh_from_db()
    ledger = Disbursement.objects.get()
    assert (unknown.status, ledger.status, ledger.rail_reference) == ("funded", "paid", "PAY-7")
    assert unknown.closed_at is not None
    assert Incident.objects.get().status == "resolved"
    assert audit("payout_settled").data == {
        "paid": True,
        "rail_reference": "PAY-7",
        "note": "Bank says so.",
        "proposed_by": "operations",
        "confirmed_by": "operations2",
    }
    assert OutboxMessage.objects.filter(key=f"closed/{unknown.reference}-1").count() == 1
    with pytest.raises(PayoutSettled):
        settle(reference=unknown.reference, user=operations, paid=True)


def test_payout_that_the_rail_does_not_know_needs_its_reference(
    unknown: LoanApplication, operations: User
) -> None:
    with pytest.raises(ops.ReferenceMissing):
        settle(reference=unknown.reference, user=operations, paid=True)
    settle(reference=unknown.reference, user=operations, paid=True, rail_reference=" STATEMENT-9 ")
    assert Disbursement.objects.get().rail_reference == "STATEMENT-9"


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_payout_that_the_rail_knows_is_not_called_unpaid(
    unknown: LoanApplication, operations: User
) -> None:
    book(unknown, "PAY-7")
    with pytest.raises(PayoutFound, match="PAY-7"):
        settle(reference=unknown.reference, user=operations, paid=False)
    assert Disbursement.objects.get().status == "unknown"


def test_payout_that_was_not_made_waits_for_a_restart_that_pays_it(
    unknown: LoanApplication, operations: User
) -> None:
    with pytest.raises(PayoutUnsettled):
        ops.application_restart(reference=unknown.reference, user=operations)
    settle(reference=unknown.reference, user=operations, paid=False)
    unknown.refresh_from_db()
    assert (unknown.status, Disbursement.objects.get().status) == ("needs_attention", "not_paid")
    incident = Incident.objects.get()
    assert incident.status == "open"  # the case is still stuck, and says so
    assert "was not made" in incident.sentence
    ops.application_restart(reference=unknown.reference, user=operations)
    unknown.refresh_from_db()
    assert (unknown.status, unknown.attempt) == ("submitted", 2)
    assert Incident.objects.get().status == "resolved"


def test_payout_that_was_not_made_can_be_withdrawn_and_an_unknown_one_cannot(
    unknown: LoanApplication, operations: User, officer: User
) -> None:
    with pytest.raises(TransitionRefused):
        intake.application_withdraw(reference=unknown.reference, user=officer)
    settle(reference=unknown.reference, user=operations, paid=False)
    intake.application_withdraw(reference=unknown.reference, user=officer)
    unknown.refresh_from_db()
    assert unknown.status == "withdrawn"


def test_rail_that_cannot_be_asked_leaves_it_unknown(
    unknown: LoanApplication, operations: User, settings: Any
) -> None:
    settings.LOANOFFICE_PROVIDERS = {
        **settings.LOANOFFICE_PROVIDERS,
        "payout": {"url": "http://127.0.0.1:9", "token": "t"},
    }
    with pytest.raises(RailUnreachable):
        settle(reference=unknown.reference, user=operations, paid=False)
    assert Disbursement.objects.get().status == "unknown"


def test_restart_asks_the_rail_under_the_same_key_again(
    unknown: LoanApplication, operations: User
) -> None:
    settle(reference=unknown.reference, user=operations, paid=False)
    ops.application_restart(reference=unknown.reference, user=operations)
    unknown.refresh_from_db()
    assess(unknown)
    pass_fraud_check(unknown)
    LoanApplication.objects.update(status="approved")  # where its second run arrives in time
    order = payout.disbursement_request(run_of(unknown))
    assert isinstance(order, payout.PayoutOrder)
    assert order.status == "requested"
    assert order.idempotency_key == f"payout-{unknown.reference}"
    assert Disbursement.objects.count() == 1


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_restart_funds_a_case_that_was_paid_and_not_written_down(
    asked_for: LoanApplication, operations: User
) -> None:
    """Another attempt might end declined, with the money gone."""
    book(asked_for, "PAY-7")
    funded = ops.application_restart(reference=asked_for.reference, user=operations)
    assert (funded.status, funded.attempt) == ("funded", 1)
    ledger = Disbursement.objects.get()
    assert (ledger.status, ledger.rail_reference) == ("paid", "PAY-7")
    assert Incident.objects.get().resolved_by == operations
    assert audit("payout_found").actor == operations
    assert OutboxMessage.objects.filter(key=f"closed/{asked_for.reference}-1").count() == 1
    assert Execution.objects.count() == 1


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_restart_after_a_payout_that_the_rail_never_made_may_still_be_withdrawn(
    asked_for: LoanApplication, operations: User, officer: User
) -> None:
    restarted = ops.application_restart(reference=asked_for.reference, user=operations)
    assert (restarted.status, restarted.attempt) == ("submitted", 2)
    assert Disbursement.objects.get().status == "not_paid"
    intake.application_withdraw(reference=asked_for.reference, user=officer)


def test_restart_waits_for_a_rail_that_cannot_be_asked_what_became_of_a_payout(
    asked_for: LoanApplication, operations: User, settings: Any
) -> None:
    settings.LOANOFFICE_PROVIDERS = {
        **settings.LOANOFFICE_PROVIDERS,
        "payout": {"url": "http://127.0.0.1:9", "token": ""},
    }
    with pytest.raises(RailUnreachable):
        ops.application_restart(reference=asked_for.reference, user=operations)
    asked_for.refresh_from_db()
    assert (asked_for.status, asked_for.attempt) == ("needs_attention", 1)
    assert Disbursement.objects.get().status == "requested"


# --- Messages and incidents ----------------------------------------------------------------


@pytest.fixture
def dead(waiting: LoanApplication, aws: LambdaStub) -> OutboxMessage:
    """A start that nobody could send, with its incident."""
    OutboxMessage.objects.exclude(kind="start_execution").delete()
    OutboxMessage.objects.update(attempts=queue.TRIES - 1)
    aws.answers.append((503, "ServiceException"))
    queue.send_due()
    message = OutboxMessage.objects.get()
    assert message.status == "dead"
    return message


def test_message_that_was_given_up_is_sent_again_and_its_incident_resolved(
    dead: OutboxMessage, operations: User, aws: LambdaStub
) -> None:
    again = ops.message_resend(message=dead, user=operations)
    assert (again.status, again.attempts) == ("pending", 0)
    incident = Incident.objects.get()
    assert (incident.status, incident.resolved_by, incident.note) == (
        "resolved",
        operations,
        "Sent again.",
    )
    assert audit("resent").data == {"key": dead.key}
    assert queue.send_due() == 1
    with pytest.raises(NothingToResend, match="it is sent"):
        ops.message_resend(message=dead, user=operations)


def test_message_that_fails_again_opens_another_incident(
    dead: OutboxMessage, operations: User, aws: LambdaStub
) -> None:
    ops.message_resend(message=dead, user=operations)
    OutboxMessage.objects.update(attempts=queue.TRIES - 1)
    aws.answers.append((503, "ServiceException"))
    queue.send_due()
    assert sorted(Incident.objects.values_list("status", flat=True)) == ["open", "resolved"]


def test_incident_of_a_message_that_is_waited_for_is_resolved_by_sending_it_again(
    dead: OutboxMessage, operations: User
) -> None:
    incidents.incident_resolve(incident=Incident.objects.get(), user=operations, note="It is back.")
    dead.refresh_from_db()
    assert (dead.status, dead.attempts) == ("pending", 0)
    assert Incident.objects.get().status == "resolved"


def test_incident_of_a_message_that_nobody_waits_for_any_more_is_only_resolved(
    dead: OutboxMessage, operations: User
) -> None:
    Execution.objects.update(status="STOPPED", ended_at=timezone.now())
    incidents.incident_resolve(incident=Incident.objects.get(), user=operations, note="It is over.")
    dead.refresh_from_db()
    assert dead.status == "dead"


def test_message_sent_again_does_not_resolve_the_last_word_about_a_stuck_case(
    dead: OutboxMessage, operations: User
) -> None:
    LoanApplication.objects.update(status="needs_attention")
    ops.message_resend(message=dead, user=operations)
    assert Incident.objects.get().status == "open"


def test_incident_is_acknowledged_once_and_resolved_with_a_note(
    waiting: LoanApplication, operations: User
) -> None:
    incidents.incident_open(
        kind=Incident.Kind.CONTRADICTION, key="k", application=waiting, sentence="Two answers."
    )
    incident = Incident.objects.get()
    first = incidents.incident_acknowledge(incident=incident, user=operations)
    assert (first.status, first.acknowledged_by) == ("acknowledged", operations)
    again = incidents.incident_acknowledge(incident=incident, user=operations)
    assert again.acknowledged_at == first.acknowledged_at
    resolved = incidents.incident_resolve(
        incident=incident, user=operations, note=" The first counts. "
    )
    incidents.incident_resolve(incident=incident, user=operations, note="Twice.")
    resolved.refresh_from_db()
    assert (resolved.status, resolved.resolved_by, resolved.note) == (
        "resolved",
        operations,
        "The first counts.",
    )
    assert audit("incident_resolved").data["note"] == "The first counts."
    assert ApplicationEvent.objects.filter(kind="incident_acknowledged").count() == 1


def test_last_incident_of_a_stuck_case_is_not_resolved_by_hand(
    stuck: LoanApplication, operations: User
) -> None:
    incident = Incident.objects.get()
    with pytest.raises(StillStuck):
        incidents.incident_resolve(incident=incident, user=operations, note="Never mind.")
    incidents.incident_open(
        kind=Incident.Kind.CONTRADICTION, key="k", application=stuck, sentence="Two answers."
    )
    incidents.incident_resolve(incident=incident, user=operations, note="See the other.")
    assert Incident.objects.exclude(status="resolved").count() == 1


# --- Who else -----------------------------------------------------------------------------

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


@pytest.mark.parametrize("press", PRESSES)
@pytest.mark.parametrize(
    "role", [role for role in Role if role != Role.OPERATIONS], ids=lambda role: role.name
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
